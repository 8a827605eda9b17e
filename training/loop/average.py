"""Exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Moving average of everything in a model's ``state_dict``, on the model's device.

    After step t (from 0), ``average += (1 − d) · (weights − average)`` with ``d = min(decay, (1 + t) /
    (10 + t))``, so that the initial random weights are soon forgotten. Running means and variances of batch
    norm are averaged too; integers are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._average = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Update the average with the weights of ``model`` after a step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        live = model.state_dict()
        moving = [name for name, tensor in live.items() if tensor.is_floating_point()]
        torch._foreach_lerp_(  # as torch's own averages do
            [self._average[name] for name in moving], [live[name] for name in moving], 1 - decay
        )
        for name in live.keys() - set(moving):
            self._average[name].copy_(live[name])
        self.updates += 1

    @contextmanager
    def swap_in(self, model: nn.Module) -> Iterator[None]:
        """Give ``model`` the averaged weights within the context; afterwards its own again, bit for bit.

        Only values are exchanged; every tensor keeps its memory, as compiled models and captured graphs need.
        """
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def state(self) -> dict[str, Tensor]:
        """State for :meth:`load`: ``updates`` and ``weights.<name>``; the weights are not copied."""
        weights = {f"weights.{name}": tensor for name, tensor in self._average.items()}
        return {"updates": torch.tensor(self.updates), **weights}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore the state returned by :meth:`state`.

        Raises :class:`KeyError` or :class:`RuntimeError` if it belongs to another model.
        """
        names = {f"weights.{name}" for name in self._average} | {"updates"}
        if strange := names ^ state.keys():
            raise KeyError(f"{min(strange)} in the averaged weights")
        for name, tensor in self._average.items():
            if (held := state[f"weights.{name}"]).shape != tensor.shape:
                raise RuntimeError(
                    f"averaged {name} has shape {tuple(held.shape)}, not {tuple(tensor.shape)}"
                )
            tensor.copy_(held)
        self.updates = int(state["updates"])

    @torch.no_grad()
    def _exchange(self, model: nn.Module) -> None:
        live = model.state_dict()
        kept = {name: tensor.clone() for name, tensor in live.items()}
        for name, tensor in live.items():
            tensor.copy_(self._average[name])
        for name, tensor in kept.items():
            self._average[name].copy_(tensor)
