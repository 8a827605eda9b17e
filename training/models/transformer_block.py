"""A transformer block that ignores padding (Vaswani et al. 2017), its norms first (Xiong et al. 2020)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from training.models.dropout import UnitDropout


class TransformerBlock(nn.Module):
    """Self-attention over the valid steps, then a feed-forward layer, each added to its input.

    It has no position of its own: hidden states of encoders carry theirs.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.inner_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.dropout = UnitDropout(dropout)

    def forward(self, sequence: Tensor, keep: Tensor) -> Tensor:
        """(B, T, width) → the same shape; ``keep`` (B, T) bool is true for valid steps.

        Output at padded steps is meaningless.
        """
        sequence = sequence + self.dropout(self._attend(self.attention_norm(sequence), keep))
        wide = self.dropout(F.gelu(self.widen(self.inner_norm(sequence))))
        out: Tensor = sequence + self.dropout(self.narrow(wide))
        return out

    def _attend(self, sequence: Tensor, keep: Tensor) -> Tensor:
        by_head = self.projections(sequence).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = by_head.unbind(0)  # (B, heads, T, width / heads) each
        attended = F.scaled_dot_product_attention(query, key, value, keep[:, None, None, :])
        joined: Tensor = self.joined(attended.transpose(1, 2).flatten(2))
        return joined
