"""What one rank will read: samples in the order of delivery, divided into batches and windows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.loader.cells import Cells
from training.loader.order import Epoch
from training.loader.source import Share


@dataclass(frozen=True, eq=False)
class ReadingPlan:
    """Samples, batches and windows of one rank.

    ``samples`` (n,) int64 are sample indices in the order of delivery. ``batches`` (b + 1,) and ``windows``
    (w + 1,) int64 are edges from 0 to n; a batch may span windows. ``totals`` (b,) int64 are the sizes of the
    batches over all ranks.
    """

    samples: NDArray[np.int64]
    batches: NDArray[np.int64]
    windows: NDArray[np.int64]
    totals: NDArray[np.int64]

    @classmethod
    def of_epoch(cls, epoch: Epoch, first: int, share: Share) -> ReadingPlan:
        """Plan for the rank's ``share`` of the batches of an epoch, from batch ``first`` on."""
        edges = epoch.batches[first:]
        if len(edges) < 2:
            return _NOTHING
        parts = [share.of(np.arange(start, stop)) for start, stop in pairwise(edges)]
        positions = np.concatenate(parts)
        windows = np.unique(np.searchsorted(positions, epoch.windows))
        return cls(
            samples=epoch.samples[positions],
            batches=_edges(parts),
            windows=windows,
            totals=np.diff(edges),
        )

    @classmethod
    def in_order(cls, cells: Cells, batch_size: int, share: Share, window: int) -> ReadingPlan:
        """Plan for every ``share.world``-th batch of the samples in order, in windows of ``window`` cells."""
        samples = np.arange(len(cells))
        parts = np.split(samples, np.arange(batch_size, len(cells), batch_size))[share.rank :: share.world]
        if not len(cells) or not parts:
            return _NOTHING
        indices = np.concatenate(parts)
        runs = np.flatnonzero(np.diff(cells.of_sample[indices])) + 1
        inner = runs[window - 1 :: window]
        return cls(
            samples=indices,
            batches=_edges(parts),
            windows=np.concatenate([[0], inner, [len(indices)]]).astype(np.int64),
            totals=np.array([len(part) for part in parts]),
        )


def _edges(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


_ZERO = np.zeros(1, np.int64)
_NOTHING = ReadingPlan(_ZERO[:0], _ZERO, _ZERO, _ZERO[:0])
