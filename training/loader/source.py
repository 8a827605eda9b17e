"""The interface of all sources of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.loader.order import Order, Position


@dataclass(frozen=True, eq=False)
class Batch:
    """One rank's share of a batch, on the training device.

    ``features`` (B, 1, C, T) in the store's dtype, ``valid_frames`` (B,) int64, ``targets`` classes (B,)
    int64 or values (B, dimensions) float32. ``total`` is the size of the whole batch over all ranks; B may be
    0 if the batch is small.
    """

    features: Tensor
    valid_frames: Tensor
    targets: Tensor
    total: int


@dataclass(frozen=True)
class Share:
    """Share of process ``rank`` of ``world``: the samples rank, rank + world, … of every batch."""

    rank: int = 0
    world: int = 1

    def of(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rank's part of ``batch`` (B,)."""
        return batch[self.rank :: self.world]


WHOLE = Share()
"""Share of a process that trains alone."""


class OrderedSource(Protocol):
    """Samples that can be read in their own order. An iterator closed early leaves nothing running."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def in_order(self, batch_size: int, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield all samples in their own order, for validation and test.

        Batch k of ``batch_size`` goes as a whole to rank k mod world, so that the ranks together read every
        sample once. ``total`` is then the batch's own size.
        """
        ...


class Source(OrderedSource, Protocol):
    """The samples of one side of a split."""

    def batches(self, order: Order, position: Position, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's share of the batches of an epoch, from ``position`` on."""
        ...
