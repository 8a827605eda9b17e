"""Sums over the originals of one feature, computed with dask block by block, with every byte verified.

::

    shards of view 0      ▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ ▒▒▒▒          256 clips each, 8 chunks
                             │        │      │
    blocks                ┌──┴──┐  ┌──┴──┐ ┌─┴─┐          one shard, or part of one if clips are very long
    a function of each      sums     sums   sums          (1, …) float64, the same size for every block
                             └────┬───┘      │
    sums of two                  sum         │
                                  └─────┬────┘
                                      total

A block is decoded, summed and dropped. Memory holds one block per thread and a few sums, however many clips
there are, because a graph has a bounded number of blocks. Every chunk is read once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from featurestore.progress import Advance, Progress
from featurestore.read.spans import Span, SpanReader
from featurestore.store import FeatureStore
from pipelines.machine import usable_cores

MOST_BLOCK_BYTES = 16 * 2**20
"""Decoded bytes of one block, unless a single chunk of 32 clips has more."""

MOST_THREADS = 4
"""Blocks in parallel. Decoding a single block already uses several cores."""

PIECE_BYTES = 2 * 2**20
"""Bytes of a block, as float64, that are processed at a time, unless a single clip has more."""

_BLOCKS_PER_GRAPH = 128
"""Blocks in one dask graph, which takes some 100 kB per block."""

_SPLIT_EVERY = 2

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CorpusRows:
    """What is known about each row of a corpus's arrays before they are read.

    ``lengths``: (rows,) int64, valid frames of the original; 0 for bad recordings and vacant rows.
    ``classes``: (rows,) int64, index of the emotion; −1 for vacant rows.
    """

    lengths: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]


BlockSum = Callable[[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]], Doubles]
"""Sums over clips, from (n, coefficient, frame) values as stored, (n,) valid frames and (n,) classes."""


def corpus_rows(store: FeatureStore, emotions: tuple[str, ...]) -> dict[str, CorpusRows]:
    """Corpus → its rows, with classes numbered as in ``emotions``."""
    manifest = store.manifest
    lengths = store.valid_frames(np.arange(len(manifest)))[0]
    classes = np.array([emotions.index(str(emotion)) for emotion in manifest["emotion"]], np.int64)
    datasets, row_numbers = manifest["dataset"].to_numpy(), manifest["row"].to_numpy()
    out = {}
    for name, entry in store.document.datasets.items():
        of = np.asarray(datasets == name)
        rows = CorpusRows(np.zeros(entry.rows, np.int64), np.full(entry.rows, -1, np.int64))
        rows.lengths[row_numbers[of]] = lengths[of]
        rows.classes[row_numbers[of]] = classes[of]
        out[name] = rows
    return out


def sum_blocks(
    store: FeatureStore, feature: str, rows: dict[str, CorpusRows], block_sum: BlockSum, progress: Progress
) -> Doubles:
    """Sum ``block_sum`` over all originals of ``feature``: blocks and corpora are added in a fixed order.

    Raises what :meth:`featurestore.store.FeatureStore.read` raises.
    """
    filled = {name: of for name, of in rows.items() if len(of.lengths)}
    shape = block_sum(*_no_clips(store, feature)).shape
    if not filled:
        return np.zeros(shape)
    total = sum(len(of.lengths) for of in filled.values())
    with progress.task(f"read {feature}", total, "clips") as advance:
        counted = _SharedProgress(advance)
        reader, out = store.span_reader([feature]), np.zeros(shape)
        run = _BLOCKS_PER_GRAPH * block_clips(store, feature)
        # Each block has a thread of its own; BLAS threads would only compete for the same cores.
        with threadpool_limits(1, user_api="blas"):
            for name, of in filled.items():
                for start in range(0, len(of.lengths), run):
                    some = slice(start, start + run)
                    originals = _Originals(store, reader, name, feature, some, counted)
                    parts = _partial_sums(originals, of.lengths[some], of.classes[some], block_sum, shape)
                    whole = parts.sum(axis=0, split_every=_SPLIT_EVERY)  # type: ignore[no-untyped-call]
                    (result,) = dask.compute(whole, scheduler="threads", num_workers=threads())  # type: ignore[attr-defined, no-untyped-call]
                    out += result
    return out


def threads() -> int:
    """Number of blocks that are processed in parallel."""
    return min(MOST_THREADS, usable_cores())


def block_clips(store: FeatureStore, feature: str) -> int:
    """Clips per block: as many chunks of one shard as fit into :data:`MOST_BLOCK_BYTES`, at least one."""
    storage = store.spec.storage
    clip = math.prod(store.spec.shapes[feature]) * np.dtype(storage.dtype).itemsize
    clips: int = storage.shard_clips
    while clips > storage.chunk_clips and clips * clip > MOST_BLOCK_BYTES:
        clips //= 2
    return clips


def pieces(values: Floats) -> Iterator[slice]:
    """Split the clips of a block (n, coefficient, frame) into runs of :data:`PIECE_BYTES` as float64."""
    step = max(1, PIECE_BYTES // (8 * max(1, values.shape[1] * values.shape[2])))
    for start in range(0, len(values), step):
        yield slice(start, start + step)


class _SharedProgress:
    """Progress that several threads report."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lock = Lock()

    def __call__(self, clips: int) -> None:
        with self._lock:
            self._advance(clips)


class _Originals:
    """Rows of view 0 of a corpus's feature for :func:`dask.array.from_array`: (row, coefficient, frame).

    Each requested slice of rows lies within one shard, which is fetched if needed, hashed and decoded.
    """

    ndim = 3

    def __init__(
        self,
        store: FeatureStore,
        reader: SpanReader,
        dataset: str,
        feature: str,
        rows: slice,
        counted: _SharedProgress,
    ) -> None:
        self._reader = reader
        self._dataset = dataset
        self._counted = counted
        self._first, last, _ = rows.indices(store.document.datasets[dataset].rows)
        self.shape = (last - self._first, *store.spec.shapes[feature])
        self.dtype = np.dtype(store.spec.storage.dtype)
        self.block = block_clips(store, feature)

    def __getitem__(self, key: tuple[slice, ...]) -> Floats:
        start, stop, _ = key[0].indices(self.shape[0])
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self._reader.read_into(out, [Span(self._dataset, 0, self._first + start, self._first + stop, 0)])
        self._counted(stop - start)
        return out


def _partial_sums(
    originals: _Originals,
    lengths: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    block_sum: BlockSum,
    shape: tuple[int, ...],
) -> da.Array:
    """One (1, …) sum per block, as a dask array."""
    chunks = (originals.block, *originals.shape[1:])
    values = da.from_array(originals, chunks=chunks, name=False)  # type: ignore[no-untyped-call]
    valid_frames = da.from_array(lengths, chunks=originals.block, name=False)  # type: ignore[no-untyped-call]
    kinds_of_rows = da.from_array(classes, chunks=originals.block, name=False)  # type: ignore[no-untyped-call]

    def one(part: Floats, valid: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64]) -> Doubles:
        return block_sum(part, valid.reshape(-1), kinds.reshape(-1))[np.newaxis]

    return da.map_blocks(  # type: ignore[no-any-return, no-untyped-call]
        one,
        values,
        valid_frames[:, np.newaxis, np.newaxis],
        kinds_of_rows[:, np.newaxis, np.newaxis],
        dtype=np.float64,
        chunks=((1,) * values.numblocks[0], *((size,) for size in shape)),
        drop_axis=[1, 2],
        new_axis=list(range(1, 1 + len(shape))),
        meta=np.empty((0,) * (1 + len(shape))),
    )


def _no_clips(store: FeatureStore, feature: str) -> tuple[Any, Any, Any]:
    values = np.empty((0, *store.spec.shapes[feature]), store.spec.storage.dtype)
    return values, np.empty(0, np.int64), np.empty(0, np.int64)
