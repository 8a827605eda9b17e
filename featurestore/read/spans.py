"""Decoding of many scattered runs of rows in one call, straight into the caller's buffer.

::

    shards   mel  ▒▒██▒▒▒▒   ▒▒▒▒▒██▒      buffer (n, coefficients, frames)
             mfcc ▒▒██▒▒▒▒   ▒▒▒▒▒██▒        ┌───────┬──────┐
                     └────────────┼──────▶   │ mel   │ mfcc │  span 0: its rows from ``at`` on
                                  └──────▶   │ mel   │ mfcc │  span 1
                                             └───────┴──────┘

Layers of an encoder lie in shards of their own, and only those that are wanted are read.

The codec pipeline is called once for all spans of a feature, whatever shards they lie in. Indexing the array
itself handles one region at a time, which costs ten times as much as decoding a small chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.buffer.cpu import NDBuffer
from zarr.core.sync import sync

from featurestore.format.layout import shard_path
from featurestore.read.objects import Objects
from featurestore.read.opening import REPAIR
from featurestore.read.selection import SelectedFeature
from schemas.errors import StoreDamagedError
from schemas.spec import StoreSpec

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
        features: Sequence[SelectedFeature],
        spec: StoreSpec,
        has_values: Callable[[Sequence[str], int], NDArray[np.bool_]],
    ) -> None:
        self._objects = objects
        self._manifest = manifest
        self._features = tuple(features)
        self._shard_clips = spec.storage.shard_clips
        self._arrays = {
            dataset: {one.name: _Chunks(one, of[one.name]) for one in features}
            for dataset, of in arrays.items()
        }
        imported = {feature.name for feature in spec.imported}
        self._usable = {
            one.name: [
                _rows_with_values(manifest, arrays, has_values([one.name], view))
                for view in range(len(spec.view_names) if one.name in imported else 1)
            ]
            for one in features
        }
        self.coefficients = sum(feature.coefficients for feature in features)

    def ensure(self, spans: Sequence[Span]) -> None:
        """Fetch and hash the objects of ``spans``. Raises what :meth:`Objects.ensure` raises."""
        self._objects.ensure(self._names(spans))

    def read_into(self, out: NDArray[np.floating], spans: Sequence[Span]) -> None:
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
        for feature in self._features:
            for dataset, chunks in self._arrays.items():
                parts = [
                    _Part(span, layer, first + rows.start)
                    for span in spans
                    if span.dataset == dataset
                    for layer, rows in feature.layer_slices()
                ]
                if parts:
                    self._decode(chunks[feature.name], parts, out)
            for layer, rows in feature.layer_slices():
                self._require_numbers(feature.name, layer, spans, out[:, first + rows.start, 0])
            first += feature.coefficients
        self._objects.require_unchanged(names)

    def _decode(self, chunks: _Chunks, parts: Sequence[_Part], out: NDArray[np.floating]) -> None:
        try:
            chunks.read_into(out, parts, self._shard_clips)
        except _DECODING_ERRORS as error:
            if len(parts) == 1:
                span = parts[0].span
                raise StoreDamagedError(
                    f"{self._shard(span, chunks.feature, parts[0].layer)} cannot be decoded ({error}): rows "
                    f"{span.start} to {span.stop - 1} of {span.dataset} ({self._clips(span)}); {REPAIR}"
                ) from error
            for part in parts:  # find the damaged one
                self._decode(chunks, [part], out)

    def _require_numbers(
        self, feature: str, layer: int, spans: Sequence[Span], probe: NDArray[np.floating]
    ) -> None:
        """Make sure that no usable clip is NaN, which would be Zarr's fill value for a missing chunk."""
        views = self._usable[feature]
        for span in spans:
            lost = np.isnan(probe[span.at : span.at + len(span)])
            usable = views[min(span.view, len(views) - 1)]  # one for all, but of imported features
            missing = lost & usable[span.dataset][span.start : span.stop]
            if missing.any():
                row = span.start + int(np.flatnonzero(missing)[0])
                one = Span(span.dataset, span.view, row, row + 1, 0)
                raise StoreDamagedError(
                    f"{self._shard(one, feature, layer)} has no data for row {row} of {span.dataset} "
                    f"({self._clips(one)}); {REPAIR}"
                )

    def _names(self, spans: Sequence[Span]) -> list[str]:
        """Names of the shards of ``spans``, each once."""
        units = {(span.dataset, span.view, span.start // self._shard_clips) for span in spans}
        return [
            shard_path(dataset, feature.name, view, unit, layer)
            for dataset, view, unit in units
            for feature in self._features
            for layer in feature.layers
        ]

    def _shard(self, span: Span, feature: str, layer: int) -> str:
        return shard_path(span.dataset, feature, span.view, span.start // self._shard_clips, layer)

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


@dataclass(frozen=True)
class _Part:
    """One layer of a span. ``first`` : the coefficient of the buffer that receives its first."""

    span: Span
    layer: int
    first: int


class _Chunks:
    """The shards of one array, addressed by spans and layers."""

    def __init__(self, feature: SelectedFeature, array: zarr.Array[Any]) -> None:
        self.feature = feature.name
        self._pipeline = array.async_array.codec_pipeline
        self._folder = array.store_path
        self._metadata = array.metadata
        self._spec = array.metadata.get_chunk_spec((0, 0, 0, 0), array.config, default_buffer_prototype())
        self._height, self._frames = feature.height, array.shape[3]

    def read_into(self, out: NDArray[np.floating], parts: Sequence[_Part], shard_clips: int) -> None:
        """Decode ``parts`` into ``out``."""
        frames, all_of_it = slice(0, self._frames), slice(0, self._height)
        batch = []
        for part in parts:
            span, rows = part.span, slice(part.first, part.first + self._height)
            unit = span.start // shard_clips
            base = unit * shard_clips
            batch.append(
                (
                    self._folder / self._metadata.encode_chunk_key((span.view, unit, part.layer, 0)),
                    self._spec,
                    (slice(0, 1), slice(span.start - base, span.stop - base), all_of_it, frames),
                    (slice(0, 1), slice(span.at, span.at + len(span)), rows, frames),
                    False,  # whether a whole chunk is written: only matters when writing
                )
            )
        sync(self._pipeline.read(batch, NDBuffer.from_numpy_array(out[np.newaxis])))


def _rows_with_values(
    manifest: pd.DataFrame, arrays: Mapping[str, Mapping[str, zarr.Array[Any]]], found: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """Corpus → which rows of its arrays have values; ``found`` (clips,) says so of the manifest."""
    usable = {dataset: np.zeros(_rows(of), bool) for dataset, of in arrays.items()}
    for dataset, rows in manifest[found].groupby("dataset")["row"]:
        usable[str(dataset)][rows.to_numpy()] = True
    return usable


def _rows(arrays: Mapping[str, zarr.Array[Any]]) -> int:
    return int(next(iter(arrays.values())).shape[1])
