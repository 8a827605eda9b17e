"""A conformer block that ignores padding (Gulati et al. 2020, arXiv:2005.08100).

::

    x + ½ feed-forward ─▶ + attention ─▶ + convolution ─▶ + ½ feed-forward ─▶ layer norm

    feed-forward:  layer norm ▶ linear ▶ SiLU ▶ dropout ▶ linear ▶ dropout
    attention:     layer norm ▶ self-attention ▶ dropout
    convolution:   layer norm ▶ linear ▶ GLU ▶ depthwise convolution ▶ layer norm ▶ SiLU ▶ linear ▶ dropout

Two parts differ from the paper. Positions are learnt biases (:mod:`training.models.attention`), not the
sinusoids of Transformer-XL. The convolution has a layer norm over the values of each step instead of batch
norm: so a clip's output depends neither on padding nor on the other clips of a training batch, and a batch
of one clip needs no exception.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from training.models.attention import RelativePositions, attend, attention_mask
from training.models.dropout import UnitDropout


class ConformerBlock(nn.Module):
    """Half a feed-forward layer, attention, convolution, half a feed-forward layer, layer norm.

    ``kernel`` : width of the depthwise convolution in steps, odd. ``distance`` : largest distance with a
    learnt bias of its own.
    """

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, *, distance: int, kernel: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.first = FeedForward(width, inner, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.positions = RelativePositions(heads, distance)
        self.dropout = UnitDropout(dropout)
        self.convolution = StepConvolution(width, kernel, dropout)
        self.second = FeedForward(width, inner, dropout)
        self.last_norm = nn.LayerNorm(width)

    def forward(self, sequence: Tensor, keep: Tensor) -> Tensor:
        """(B, T, width) → the same shape; ``keep`` (B, T) bool is true for valid steps.

        Output at padded steps is meaningless.
        """
        sequence = sequence + 0.5 * self.first(sequence)
        mask = attention_mask(keep, self.positions)
        attended = attend(self.attention_norm(sequence), mask, self.heads, self.projections, self.joined)
        sequence = sequence + self.dropout(attended)
        sequence = sequence + self.convolution(sequence, keep)
        sequence = sequence + 0.5 * self.second(sequence)
        out: Tensor = self.last_norm(sequence)
        return out


class FeedForward(nn.Module):
    """Layer norm, linear, SiLU, dropout, linear, dropout."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.dropout = UnitDropout(dropout)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, T, width) → the same shape."""
        wide = self.dropout(F.silu(self.widen(self.norm(sequence))))
        out: Tensor = self.dropout(self.narrow(wide))
        return out


class StepConvolution(nn.Module):
    """A gated depthwise convolution over the steps, as if a clip ended after its last valid step."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.normalise = nn.LayerNorm(width)
        self.joined = nn.Linear(width, width)
        self.dropout = UnitDropout(dropout)

    def forward(self, sequence: Tensor, keep: Tensor) -> Tensor:
        """(B, T, width) → the same shape; steps with ``keep`` (B, T) false are zero to the convolution."""
        gated = F.glu(self.gate(self.norm(sequence)), dim=2).masked_fill(~keep[..., None], 0.0)
        mixed = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.dropout(self.joined(F.silu(self.normalise(mixed))))
        return out
