"""A transformer block that ignores padding (Vaswani et al. 2017), its norms first (Xiong et al. 2020)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from training.models.attention import RelativePositions, attend, attention_mask
from training.models.dropout import UnitDropout


class TransformerBlock(nn.Module):
    """Self-attention over the valid steps, then a feed-forward layer, each added to its input.

    ``distance`` : largest distance with a learnt bias of its own. None: no positions, for inputs that carry
    theirs, such as hidden states of encoders.
    """

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, distance: int | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.positions = None if distance is None else RelativePositions(heads, distance)
        self.inner_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.dropout = UnitDropout(dropout)

    def forward(self, sequence: Tensor, keep: Tensor) -> Tensor:
        """(B, T, width) → the same shape; ``keep`` (B, T) bool is true for valid steps.

        Output at padded steps is meaningless.
        """
        mask = attention_mask(keep, self.positions)
        attended = attend(self.attention_norm(sequence), mask, self.heads, self.projections, self.joined)
        sequence = sequence + self.dropout(attended)
        wide = self.dropout(F.gelu(self.widen(self.inner_norm(sequence))))
        out: Tensor = sequence + self.dropout(self.narrow(wide))
        return out
