"""Puts stored tensors into a network that was made without memory."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils import parametrize

from schemas.errors import EncoderError


def assign(network: nn.Module, tensors: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Give a network on ``meta`` its tensors, as float32 on ``device``, and freeze it.

    Tensors that the network does not need are ignored: heads, quantisers and later blocks. Raises
    :class:`EncoderError` if one is missing, has another shape or is not finite.
    """
    needed = network.state_dict()
    for name, parameter in needed.items():
        if name not in tensors:
            raise EncoderError(f"the weights lack the tensor '{name}'")
        if tensors[name].shape != parameter.shape:
            raise EncoderError(
                f"the tensor '{name}' is {_shape(tensors[name])} in the weights, and {_shape(parameter)} in "
                f"the configuration"
            )
        if not bool(torch.isfinite(tensors[name]).all()):
            raise EncoderError(f"the tensor '{name}' holds numbers that are not finite")
    network.load_state_dict(
        {name: tensors[name].to(device=device, dtype=torch.float32) for name in needed}, assign=True
    )
    for module in network.modules():
        for name in list(getattr(module, "parametrizations", {})):
            parametrize.remove_parametrizations(module, name)  # a weight norm, computed once
    network.eval().requires_grad_(requires_grad=False)


def _shape(tensor: torch.Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a number"
