"""How samples are read: the contract that every source fulfils."""

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
    """Samples on the training device: one rank's share of a batch.

    ``features`` (B, 1, C, T) in the store's dtype, ``valid_frames`` (B,) int64, ``targets`` (B,) int64.
    ``total`` is the number of samples of the whole batch, over all ranks; B may be 0 where it is small.
    """

    features: Tensor
    valid_frames: Tensor
    targets: Tensor
    total: int


@dataclass(frozen=True)
class Share:
    """What process ``rank`` of ``world`` gets: of every batch the samples rank, rank + world, …"""

    rank: int = 0
    world: int = 1

    def of(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """The part of ``batch`` (B,) that is this rank's."""
        return batch[self.rank :: self.world]


WHOLE = Share()
"""What a process gets that trains alone."""


class Source(Protocol):
    """The samples of one side of a split. An iterator that is dropped leaves nothing running."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def batches(self, order: Order, position: Position, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of an epoch from ``position`` on, of each this rank's share."""
        ...

    def in_order(self, batch_size: int, share: Share = WHOLE) -> Iterator[Batch]:
        """All samples as they stand, for validation and test.

        Batch k of ``batch_size`` goes to rank k mod world as a whole, so that the ranks together have every
        sample once; ``total`` is then the batch's own size.
        """
        ...
