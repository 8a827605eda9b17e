"""Learnt weights of an encoder's layers.

The input is replaced by a weighted mean of the layers, with one weight per layer: a softmax of learnt scores,
equal at first. As in Peters et al. 2018 (ELMo, doi:10.18653/v1/N18-1202), and for speech in Yang et al. 2021
(SUPERB, arXiv:2105.01051).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.models.state_layout import StateLayout


@dataclass(frozen=True)
class LayerShares:
    """What a network has learnt about the layers of a feature: one weight per layer; they sum to 1."""

    feature: str
    layers: tuple[int, ...]
    weights: tuple[float, ...]


class LayerWeights(nn.Module):
    """Weighted mean of the layers of one feature; all statistics of a layer share its weight."""

    def __init__(self, layout: StateLayout) -> None:
        super().__init__()
        self.layout = layout
        self.scores = nn.Parameter(torch.zeros(len(layout.layers)))

    def forward(self, states: Tensor) -> Tensor:
        """(B, layers · statistics · width, T) → (B, statistics · width, T)."""
        layers, size = len(self.layout.layers), self.layout.size
        by_layer = states.reshape(states.shape[0], layers, size, states.shape[2])  # len() would fix the batch
        mean: Tensor = (self.scores.softmax(0)[:, None, None] * by_layer).sum(dim=1)
        return mean


def layer_shares(model: nn.Module) -> tuple[LayerShares, ...]:
    """The learnt weights of every feature that ``model`` reads; empty if it weighs no layers."""
    return tuple(
        LayerShares(module.layout.feature, module.layout.layers, _weights_of(module))
        for module in model.modules()
        if isinstance(module, LayerWeights)
    )


def _weights_of(module: LayerWeights) -> tuple[float, ...]:
    return tuple(module.scores.detach().double().softmax(0).cpu().tolist())
