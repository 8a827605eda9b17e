"""Rows of a feature array, read by whole chunks, with every loss told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from featurestore.format.layout import shard_path
from featurestore.read.opening import REPAIR
from schemas.errors import StoreDamagedError

_CHUNKS_AT_ONCE = 32
"""Chunks that one read joins at most: it bounds the memory beside the result."""


@dataclass(frozen=True)
class FeatureArray:
    """One feature of one corpus: a (view, clip, coefficient, frame) array and how it is cut."""

    dataset: str
    feature: str
    array: zarr.Array[Any]
    chunk_clips: int
    shard_clips: int

    def read_into(
        self,
        out: npt.NDArray[np.floating],
        view: int,
        rows: npt.NDArray[np.int64],
        usable: npt.NDArray[np.bool_],
    ) -> None:
        """Fill ``out`` (len(rows), coefficient, frame) with ``rows`` of a view; each chunk is read once.

        Raises :class:`StoreDamagedError` for a chunk that cannot be decoded, and where a usable clip has no
        numbers: then Zarr has filled in for a chunk that is not there.
        """
        for start, stop in _spans(rows, self.chunk_clips, self.array.shape[1]):
            try:
                # As a slice: an index together with several shards makes zarrs leave the work to Python.
                block = np.asarray(self.array[view : view + 1, start:stop])[0]
            except (RuntimeError, ValueError, IndexError, OSError) as error:
                raise StoreDamagedError(
                    f"{self._shard(view, start)} cannot be decoded ({error}): rows {start} to {stop - 1} of "
                    f"{self.dataset}; {REPAIR}"
                ) from error
            inside = (rows >= start) & (rows < stop)
            out[inside] = block[rows[inside] - start]
        lost = np.flatnonzero(usable & np.isnan(out[:, 0, 0]))
        if len(lost):
            row = int(rows[lost[0]])
            raise StoreDamagedError(
                f"{self._shard(view, row)} has no data for row {row} of {self.dataset}; {REPAIR}"
            )

    def _shard(self, view: int, row: int) -> str:
        return shard_path(self.dataset, self.feature, view, row // self.shard_clips)


def _spans(rows: npt.NDArray[np.int64], chunk: int, count: int) -> Iterator[tuple[int, int]]:
    """Runs of adjacent chunks that hold ``rows``, as row ranges within 0 … count."""
    chunks = np.unique(rows // chunk)
    for run in np.split(chunks, np.flatnonzero(np.diff(chunks) > 1) + 1):
        for part in np.split(run, range(_CHUNKS_AT_ONCE, len(run), _CHUNKS_AT_ONCE)):
            if len(part):
                yield int(part[0]) * chunk, min(count, (int(part[-1]) + 1) * chunk)
