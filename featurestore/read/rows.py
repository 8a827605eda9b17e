"""Reading of rows of a feature array in whole chunks; missing data is always an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from featurestore.format.layout import shard_path
from featurestore.read.opening import REPAIR
from featurestore.read.selection import SelectedFeature
from schemas.errors import StoreDamagedError

_CHUNKS_AT_ONCE = 32
"""The most chunks per read; it bounds the memory needed in addition to the result."""


@dataclass(frozen=True)
class FeatureArray:
    """One feature of one corpus: its (view, clip, coefficient, frame) array and its chunk and shard sizes."""

    dataset: str
    feature: SelectedFeature
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
        """Fill ``out`` (len(rows), coefficient, frame) with ``rows`` of one view; each chunk is read once.

        The coefficients are those of the selected layers.

        Raises :class:`StoreDamagedError` if a chunk cannot be decoded, or if a usable clip is NaN: Zarr then
        returned its fill value for a missing chunk.
        """
        for layer, part in self.feature.layer_slices():
            self._read_layer(out[:, part], view, layer, rows)
            lost = np.flatnonzero(usable & np.isnan(out[:, part.start, 0]))
            if len(lost):
                row = int(rows[lost[0]])
                raise StoreDamagedError(
                    f"{self._shard(view, row, layer)} has no data for row {row} of {self.dataset}; {REPAIR}"
                )

    def _read_layer(
        self, out: npt.NDArray[np.floating], view: int, layer: int, rows: npt.NDArray[np.int64]
    ) -> None:
        first = layer * self.feature.height
        for start, stop in _spans(rows, self.chunk_clips, self.array.shape[1]):
            try:
                # Slices, not an index: with an index over several shards, zarrs falls back to Python.
                block = self.array[view : view + 1, start:stop, first : first + self.feature.height]
            except (RuntimeError, ValueError, IndexError, OSError) as error:
                raise StoreDamagedError(
                    f"{self._shard(view, start, layer)} cannot be decoded ({error}): rows {start} to "
                    f"{stop - 1} of {self.dataset}; {REPAIR}"
                ) from error
            inside = (rows >= start) & (rows < stop)
            out[inside] = np.asarray(block)[0][rows[inside] - start]

    def _shard(self, view: int, row: int, layer: int) -> str:
        return shard_path(self.dataset, self.feature.name, view, row // self.shard_clips, layer)


def _spans(rows: npt.NDArray[np.int64], chunk: int, count: int) -> Iterator[tuple[int, int]]:
    """Runs of adjacent chunks that hold ``rows``, as row ranges within 0 … count."""
    chunks = np.unique(rows // chunk)
    for run in np.split(chunks, np.flatnonzero(np.diff(chunks) > 1) + 1):
        for part in np.split(run, range(_CHUNKS_AT_ONCE, len(run), _CHUNKS_AT_ONCE)):
            if len(part):
                yield int(part[0]) * chunk, min(count, (int(part[-1]) + 1) * chunk)
