"""Statistics of frames over time, with equal or learnt weights, as one vector per clip.

With weights ``w`` of the valid frames ``x`` that sum to 1: mean ``Σ w x``, and deviation
``√ Σ w (x − mean)²``. The weights are equal, or a softmax over the valid frames of one learnt linear score
per frame. That is attention pooling (Lin et al. 2017); with the deviation, attentive statistics pooling
(Okabe et al. 2018, doi:10.21437/Interspeech.2018-993).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from schemas.architecture import FramePooling
from training.models.conv_block import step_mask

_SMALLEST_VARIANCE = 1e-6
"""The root of a smaller one has too steep a gradient."""


class FrameStatistics(nn.Module):
    """Mean, or mean and deviation, over the valid frames.

    ``heads`` : sets of learnt weights, each of which gives all statistics; ``size`` : values of the result.
    """

    def __init__(self, pooling: FramePooling, width: int, heads: int = 1) -> None:
        super().__init__()
        weighting, _, deviation = pooling.partition("+")
        self.score = nn.Linear(width, heads) if weighting == "attention" else None
        self.statistics = ("mean", "std") if deviation else ("mean",)
        self.size = heads * len(self.statistics) * width

    def forward(self, sequence: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, T, width) → (B, ``size``): statistics × heads × width; padded frames have no effect."""
        weights = self.weights(sequence, valid_frames)
        mean = (weights[..., None] * sequence[:, :, None]).sum(dim=1)
        if "std" not in self.statistics:
            return mean.flatten(1)
        centred = sequence[:, :, None] - mean[:, None]
        variance = (weights[..., None] * centred.square()).sum(dim=1)
        return torch.cat((mean, variance.clamp(min=_SMALLEST_VARIANCE).sqrt()), dim=1).flatten(1)

    def weights(self, sequence: Tensor, valid_frames: Tensor) -> Tensor:
        """Weight of each frame, (B, T, heads): 0 for padded frames, summing to 1."""
        mask = step_mask(valid_frames, sequence.shape[1])[..., None]
        if self.score is None:
            return mask / mask.sum(dim=1, keepdim=True)
        scores: Tensor = self.score(sequence)
        return scores.masked_fill(mask == 0, -torch.inf).softmax(dim=1)
