"""Cells, the parts of a store that hold samples: a cell is one view of one chunk of clips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from training.samples.samples import Samples


@dataclass(frozen=True, eq=False)
class Cells:
    """Samples by cell. Cells are numbered by corpus, chunk and view; cells without samples are left out.

    ``of_sample`` (n,) int64 is the cell of each sample; ``chunk`` (cells,) int64, ascending from 0, is the
    chunk of each cell.
    """

    of_sample: NDArray[np.int64]
    chunk: NDArray[np.int64]

    @classmethod
    def of(cls, store: FeatureStore, samples: Samples) -> Cells:
        """Find the cells of ``samples`` in ``store``."""
        _, corpus = np.unique(store.manifest["dataset"].to_numpy(), return_inverse=True)
        rows = store.manifest["row"].to_numpy() // store.spec.storage.chunk_clips
        keys = np.stack([corpus[samples.clips], rows[samples.clips], samples.views], axis=1).astype(np.int64)
        cells, of_sample = np.unique(keys, axis=0, return_inverse=True)
        changes = (np.diff(cells[:, :2], axis=0) != 0).any(axis=1)
        chunk = np.concatenate([np.zeros(min(1, len(cells)), np.int64), np.cumsum(changes, dtype=np.int64)])
        return cls(of_sample.reshape(-1).astype(np.int64), chunk)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.of_sample)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(cells,) int64: number of samples in each cell."""
        return np.bincount(self.of_sample, minlength=len(self.chunk)).astype(np.int64)

    @cached_property
    def of_chunk(self) -> NDArray[np.int64]:
        """(chunks + 1,) int64: chunk i holds the cells ``of_chunk[i]`` … ``of_chunk[i + 1]`` − 1."""
        firsts = np.unique(self.chunk, return_index=True)[1]
        return np.append(firsts, len(self.chunk)).astype(np.int64)

    def samples_of(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices of the samples in ``cells``, cell by cell."""
        members = [self._by_cell[self._edges[cell] : self._edges[cell + 1]] for cell in cells]
        return np.concatenate([np.empty(0, np.int64), *members])

    def require_every_view(self, samples: Samples) -> None:
        """Raise :class:`ValueError` unless all cells of a chunk hold the same clips."""
        for start, stop in pairwise(self.of_chunk):
            clips = [np.sort(samples.clips[self.samples_of(np.array([cell]))]) for cell in range(start, stop)]
            if any(not np.array_equal(clips[0], other) for other in clips[1:]):
                raise ValueError("drawing one view per clip requires the same views for all clips of a chunk")

    @cached_property
    def _by_cell(self) -> NDArray[np.int64]:
        return np.argsort(self.of_sample, kind="stable")

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes)])
