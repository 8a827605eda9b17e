"""Dropout with masks that do not depend on the number of ranks (Srivastava et al. 2014; Tompson et al. 2015).

Masks are drawn from the default generator of the input's device. If :attr:`Dropout.rows` is set, a mask is
drawn for the whole global batch, and the rank takes its rows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class RowShare(NamedTuple):
    """Rows ``rank``, ``rank + world``, … of a global batch of ``total`` rows."""

    total: int
    rank: int
    world: int


class Dropout(nn.Module):
    """Base class: in training, draws factors that are 0 with probability ``share``, else 1 / (1 − share)."""

    rows: RowShare | None
    """Which rows of the global batch the inputs are; None: inputs are whole batches."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.rows = None

    def extra_repr(self) -> str:
        """Show the share in the module's representation."""
        return f"share={self.share}"

    @property
    def active(self) -> bool:
        """Whether a forward pass drops anything."""
        return self.training and self.share > 0

    def _draw(self, x: Tensor, shape: torch.Size) -> Tensor:
        """Factors (B, *shape) in the dtype of ``x``, whose first dimension is B."""
        share = self.rows or RowShare(len(x), 0, 1)
        rows = slice(share.rank, share.total, share.world)
        own = len(range(share.total)[rows])
        if own != len(x):
            raise ValueError(f"the input has {len(x)} rows, but {share} has {own}")
        kept = torch.empty((share.total, *shape), device=x.device).bernoulli_(1 - self.share)
        return (kept[rows] / (1 - self.share)).to(x.dtype)


class ChannelDropout(Dropout):
    """Drops whole channels of (B, K, C, T)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) → the same shape."""
        return x * self.factors(x) if self.active else x

    def factors(self, x: Tensor) -> Tensor:
        """Factors for the channels of ``x`` (B, K, C, T): (B, K, 1, 1)."""
        return self._draw(x, x.shape[1:2])[:, :, None, None]


class UnitDropout(Dropout):
    """Drops single values of (B, …)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, …) → the same shape."""
        return x * self._draw(x, x.shape[1:]) if self.active else x
