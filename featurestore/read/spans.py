"""Decoding of many scattered runs of rows in one call, straight into the caller's buffer.

::

    shards   mel  ▒▒██▒▒▒▒   ▒▒▒▒▒██▒      buffer (n, coefficients, frames)
             mfcc ▒▒██▒▒▒▒   ▒▒▒▒▒██▒        ┌───────┬──────┐
                     └────────────┼──────▶   │ mel   │ mfcc │  span 0: its rows from ``at`` on
                                  └──────▶   │ mel   │ mfcc │  span 1
                                             └───────┴──────┘

The codec pipeline is called once for all spans of a feature, whatever shards they lie in. Indexing the array
itself handles one region at a time, which costs ten times as much as decoding a small chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.buffer.cpu import NDBuffer
from zarr.core.sync import sync

from featurestore.format.layout import shard_path
from featurestore.read.objects import Objects
from featurestore.read.opening import REPAIR
from schemas.clip import Status
from schemas.errors import StoreDamagedError

_DECODING_ERRORS = (RuntimeError, ValueError, IndexError, OSError)


@dataclass(frozen=True)
class Span:
    """Rows ``start`` … ``stop`` − 1 of one view of one corpus, all within one shard.

    ``at``: row of the buffer that receives the first of them; the others follow.
    """

    dataset: str
    view: int
    start: int
    stop: int
    at: int

    def __len__(self) -> int:
        return self.stop - self.start


class SpanReader:
    """Reads spans of some features of a store; made by :meth:`featurestore.store.FeatureStore.span_reader`.

    ``coefficients``: number of coefficients of all its features together. Thread-safe.
    """

    def __init__(
        self,
        objects: Objects,
        manifest: pd.DataFrame,
        arrays: Mapping[str, Mapping[str, zarr.Array[Any]]],
        features: Mapping[str, int],
        shard_clips: int,
    ) -> None:
        self._objects = objects
        self._manifest = manifest
        self._features = dict(features)
        self._shard_clips = shard_clips
        self._arrays = {
            dataset: {name: _Chunks(f"{dataset}/{name}", of[name]) for name in features}
            for dataset, of in arrays.items()
        }
        self._usable = {dataset: np.zeros(_rows(of), bool) for dataset, of in arrays.items()}
        sound = manifest[manifest["status"] == Status.OK]
        for dataset, rows in sound.groupby("dataset")["row"]:
            self._usable[str(dataset)][rows.to_numpy()] = True
        self.coefficients = sum(features.values())

    def ensure(self, spans: Sequence[Span]) -> None:
        """Fetch and hash the objects of ``spans``. Raises what :meth:`Objects.ensure` raises."""
        self._objects.ensure(self._names(spans))

    def read_into(self, out: npt.NDArray[np.floating], spans: Sequence[Span]) -> None:
        """Fill ``out`` (n, coefficients, frames) with ``spans``, features stacked in order.

        ``out`` must be contiguous and have the store's dtype. Rows outside all spans are left unchanged. Bad
        recordings and vacant rows are filled with NaN.

        Raises :class:`StoreDamagedError`, naming the object and the clip, if a chunk is missing or damaged,
        and :class:`StoreChangedError` if the store was rebuilt after it was opened; the content of ``out`` is
        then undefined.
        """
        names = self._names(spans)
        self._objects.ensure(names)
        first = 0
        for feature, count in self._features.items():
            for dataset, chunks in self._arrays.items():
                inside = [span for span in spans if span.dataset == dataset]
                if inside:
                    self._decode(chunks[feature], inside, out, first)
            self._require_numbers(feature, spans, out[:, first, 0])
            first += count
        self._objects.require_unchanged(names)

    def _decode(
        self, chunks: _Chunks, spans: Sequence[Span], out: npt.NDArray[np.floating], first: int
    ) -> None:
        try:
            chunks.read_into(out, spans, first, self._shard_clips)
        except _DECODING_ERRORS as error:
            if len(spans) == 1:
                span = spans[0]
                name = chunks.name.split("/")[1]
                raise StoreDamagedError(
                    f"{self._shard(span, name)} cannot be decoded ({error}): rows {span.start} to "
                    f"{span.stop - 1} of {span.dataset} ({self._clips(span)}); {REPAIR}"
                ) from error
            for span in spans:  # find the damaged one
                self._decode(chunks, [span], out, first)

    def _require_numbers(self, feature: str, spans: Sequence[Span], probe: npt.NDArray[np.floating]) -> None:
        """Make sure that no usable clip is NaN, which would be Zarr's fill value for a missing chunk."""
        for span in spans:
            lost = np.isnan(probe[span.at : span.at + len(span)])
            missing = lost & self._usable[span.dataset][span.start : span.stop]
            if missing.any():
                row = span.start + int(np.flatnonzero(missing)[0])
                one = Span(span.dataset, span.view, row, row + 1, 0)
                raise StoreDamagedError(
                    f"{self._shard(one, feature)} has no data for row {row} of {span.dataset} "
                    f"({self._clips(one)}); {REPAIR}"
                )

    def _names(self, spans: Sequence[Span]) -> list[str]:
        """Names of the shards of ``spans``, each once."""
        units = {(span.dataset, span.view, span.start // self._shard_clips) for span in spans}
        return [
            shard_path(dataset, name, view, unit) for dataset, view, unit in units for name in self._features
        ]

    def _shard(self, span: Span, feature: str) -> str:
        return shard_path(span.dataset, feature, span.view, span.start // self._shard_clips)

    def _clips(self, span: Span) -> str:
        """Text that names the clips of a span."""
        table = self._manifest
        rows = table[(table["dataset"] == span.dataset) & table["row"].between(span.start, span.stop - 1)]
        clips = rows["clip_id"].tolist()
        return (
            f"clip {clips[0]}"
            if len(clips) == 1
            else f"clips {clips[0]} to {clips[-1]}"
            if clips
            else "no clip"
        )


class _Chunks:
    """The shards of one array, addressed by spans."""

    def __init__(self, name: str, array: zarr.Array[Any]) -> None:
        self.name = name
        self._pipeline = array.async_array.codec_pipeline
        self._folder = array.store_path
        self._metadata = array.metadata
        self._spec = array.metadata.get_chunk_spec((0, 0, 0, 0), array.config, default_buffer_prototype())
        self._count, self._frames = array.shape[2:]

    def read_into(
        self, out: npt.NDArray[np.floating], spans: Sequence[Span], first: int, shard_clips: int
    ) -> None:
        """Decode ``spans`` into coefficients ``first`` … of ``out``."""
        frames, all_of_it = slice(0, self._frames), slice(0, self._count)
        rows = slice(first, first + self._count)
        batch = []
        for span in spans:
            unit = span.start // shard_clips
            base = unit * shard_clips
            batch.append(
                (
                    self._folder / self._metadata.encode_chunk_key((span.view, unit, 0, 0)),
                    self._spec,
                    (slice(0, 1), slice(span.start - base, span.stop - base), all_of_it, frames),
                    (slice(0, 1), slice(span.at, span.at + len(span)), rows, frames),
                    False,  # whether a whole chunk is written: only matters when writing
                )
            )
        sync(self._pipeline.read(batch, NDBuffer.from_numpy_array(out[np.newaxis])))


def _rows(arrays: Mapping[str, zarr.Array[Any]]) -> int:
    return int(next(iter(arrays.values())).shape[1])
