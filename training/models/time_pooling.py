"""Pooling of the states of all valid steps into one vector per clip.

Each module takes ``sequence`` (B, T, 2H), the concatenated states of both directions, and ``valid_steps``
(B,) int64 ≥ 1, and returns (B, 2H).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from schemas.architecture import Pooling
from training.models.conv_block import step_mask


class MeanPooling(nn.Module):
    """Mean over the valid steps."""

    def forward(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        """(B, T, 2H) → (B, 2H)."""
        mask = step_mask(valid_steps, sequence.shape[1])
        mean: Tensor = (sequence * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return mean


class AttentionPooling(nn.Module):
    """Weighted mean; weights are a softmax over the valid steps of one learnt linear score per step.

    As in Lin et al. 2017, with a single head and without a hidden layer.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.score = nn.Linear(units, 1)

    def forward(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        """(B, T, 2H) → (B, 2H)."""
        weights = self.weights(sequence, valid_steps)
        return (sequence * weights[..., None]).sum(dim=1)

    def weights(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        """Weight of each step, (B, T): 0 for padded steps, summing to 1."""
        padded = step_mask(valid_steps, sequence.shape[1]) == 0
        scores: Tensor = self.score(sequence).squeeze(2)
        return scores.masked_fill(padded, -torch.inf).softmax(dim=1)


class LastState(nn.Module):
    """Final states: forward at the last valid step, backward at step 0."""

    def forward(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        """(B, T, 2H) → (B, 2H)."""
        hidden = sequence.shape[2] // 2
        last = (valid_steps - 1)[:, None, None].expand(-1, 1, hidden)
        ahead = sequence[..., :hidden].gather(1, last).squeeze(1)
        return torch.cat((ahead, sequence[:, 0, hidden:]), dim=1)


def pooling_of(name: Pooling, units: int) -> nn.Module:
    """Pooling module by its name in recipes, for ``units`` = 2H."""
    match name:
        case "mean":
            return MeanPooling()
        case "attention":
            return AttentionPooling(units)
        case "last":
            return LastState()
