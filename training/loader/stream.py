"""Source that reads its samples from the store during training, one window ahead.

::

    store ──▶ threads decode window k + 1 ──▶ buffer ┐
                                                     ├─ two buffers, used in turn
              batches of window k are gathered ◀── buffer ┘

zarrs decodes outside Python's global lock, so threads suffice and no processes are started. The same threads
hash objects, and fetch them if the store is remote. Memory: two windows, regardless of the size of the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, pairwise
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.read.selection import Layers
from featurestore.read.spans import Span, SpanReader
from featurestore.store import FeatureStore
from training.loader.cells import Cells
from training.loader.memory import allocate_pages, default_budget, stored_dtype, window_buffers
from training.loader.order import Order, Position
from training.loader.reading import ReadingPlan
from training.loader.source import WHOLE, Batch, Share
from training.loader.targets import target_tensor
from training.loader.wire import Wire
from training.samples.samples import Samples

THREADS = 2
"""Decoding threads. One keeps up with training; two keep up while objects are hashed for the first time."""

_CELLS_IN_ORDER = 32
"""Cells per window of samples that are read in order, without shuffling."""

_SPANS_AT_ONCE = 8
"""Least number of spans that a thread decodes before checking whether to stop: 11 MB at 170 × 130 float16."""


class StreamSource:
    """A source with samples that stay in the store.

    ``layers``: of encoders, as for :meth:`featurestore.store.FeatureStore.read`. ``budget``: bytes that
    windows may take; None: half of the free memory. Every open iterator takes this much. :meth:`batches`
    raises :class:`RunError` if not even one window fits; iterating raises :class:`StoreDamagedError`, naming
    object and clip, and :class:`StoreChangedError`.
    """

    def __init__(
        self,
        store: FeatureStore,
        samples: Samples,
        features: Sequence[str],
        device: torch.device,
        budget: int | None = None,
        threads: int = THREADS,
        layers: Layers = None,
    ) -> None:
        self._reader: SpanReader = store.span_reader(features, layers)
        self.shape = (self._reader.coefficients, store.spec.common_frames(features))
        self.dtype = stored_dtype(store)
        self._chunk_clips = store.spec.storage.chunk_clips
        self._shard_clips = store.spec.storage.shard_clips
        self._chunk_bytes = self.shape[0] * self.shape[1] * self.dtype.itemsize * self._chunk_clips
        self._budget = default_budget() if budget is None else budget
        self._threads = threads
        self._device = device
        self._cells = Cells.of(store, samples)
        self._corpora = store.manifest["dataset"].to_numpy()[samples.clips]
        self._rows = store.manifest["row"].to_numpy()[samples.clips].astype(np.int64)
        self._views = samples.views
        self._valid_frames = torch.from_numpy(valid_frames_of(store, samples, features[0])).to(device)
        self.targets = target_tensor(samples).to(device)
        self._spare: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._cells)

    def batches(self, order: Order, position: Position, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's share of the batches of an epoch; ``order`` must be of the same samples."""
        window = min(order.window, len(self._cells.chunk))
        buffers = window_buffers(window * self._chunk_bytes, self._budget)
        epoch = order.epoch(position.seed, position.epoch)
        return self._read(ReadingPlan.of_epoch(epoch, position.batch, share), window, buffers)

    def in_order(self, batch_size: int, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's batches of all samples in their own order."""
        window = max(1, min(_CELLS_IN_ORDER, self._budget // (2 * self._chunk_bytes)))
        return self._read(ReadingPlan.in_order(self._cells, batch_size, share, window), window, 2)

    def _read(self, reading: ReadingPlan, window: int, buffers: int) -> Iterator[Batch]:
        """Batches of ``reading``, with windows of at most ``window`` cells."""
        stopped = Event()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="loader")
        free = [self._buffer(window) for _ in range(buffers)]
        held = list(free)
        ahead: deque[_Window] = deque()
        edges = pairwise(reading.windows)
        wire = Wire(self.shape, self.dtype, self._device)

        def read_ahead() -> None:
            while free and (edge := next(edges, None)) is not None:
                samples = reading.samples[slice(*edge)]
                ahead.append(self._window(samples, free.pop(), pool, stopped))

        try:
            read_ahead()
            order = torch.from_numpy(reading.samples).to(self._device)  # at once: each copy is waited for
            for (start, end), total in zip(pairwise(reading.batches), reading.totals, strict=True):
                target = wire.target(end - start)
                filled = 0
                while filled < len(target):
                    current = ahead[0]
                    filled += current.take(target[filled:])
                    if current.empty:
                        free.append(ahead.popleft().buffer)
                        read_ahead()
                at = order[start:end]
                yield Batch(
                    features=wire.send(target),
                    valid_frames=self._valid_frames.index_select(0, at),
                    targets=self.targets.index_select(0, at),
                    total=int(total),
                )
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            self._spare.extend(held)

    def _buffer(self, cells: int) -> Tensor:
        """Memory for ``cells`` chunks: a buffer left by an earlier iterator, or a new one."""
        slots = cells * self._chunk_clips
        while self._spare:
            buffer = self._spare.pop()
            if len(buffer) >= slots:
                return buffer
        return allocate_pages(slots, self.shape, self.dtype)

    def _window(
        self, samples: NDArray[np.int64], buffer: Tensor, pool: ThreadPoolExecutor, stopped: Event
    ) -> _Window:
        """Start reading the cells of ``samples`` into ``buffer``, each from its first to its last row."""
        cells, cell = np.unique(self._cells.of_sample[samples], return_inverse=True)
        rows = self._rows[samples]
        first, last = np.full(len(cells), np.iinfo(np.int64).max), np.zeros(len(cells), np.int64)
        np.minimum.at(first, cell, rows)
        np.maximum.at(last, cell, rows)
        at = np.cumsum(last - first + 1) - (last - first + 1)
        one = samples[np.unique(cell, return_index=True)[1]]
        spans = [
            Span(str(corpus), int(view), int(start), int(stop) + 1, int(offset))
            for corpus, view, start, stop, offset in zip(
                self._corpora[one], self._views[one], first, last, at, strict=True
            )
        ]
        out = buffer.numpy()
        futures = [pool.submit(_read_part, self._reader, out, part, stopped) for part in self._parts(spans)]
        return _Window(buffer, torch.from_numpy(at[cell] + rows - first[cell]), futures)

    def _parts(self, spans: list[Span]) -> Iterator[list[Span]]:
        """Divide ``spans`` into parts that a thread reads at a time; a shard is in one part, hashed once."""

        def shard(span: Span) -> tuple[str, int, int]:
            return span.dataset, span.view, span.start // self._shard_clips

        part: list[Span] = []
        for _, group in groupby(sorted(spans, key=shard), key=shard):
            part.extend(group)
            if len(part) >= _SPANS_AT_ONCE:
                yield part
                part = []
        if part:
            yield part


@dataclass(eq=False)
class _Window:
    """Samples in memory, or being read; ``slots`` (n,) int64 are their rows in ``buffer``."""

    buffer: Tensor
    slots: Tensor
    futures: list[Future[None]]
    taken: int = 0

    @property
    def empty(self) -> bool:
        """Whether all samples have been taken."""
        return self.taken == len(self.slots)

    def take(self, target: Tensor) -> int:
        """Wait for the next samples and copy them into ``target``; return their number."""
        while self.futures:
            self.futures.pop().result()
        slots = self.slots[self.taken : self.taken + len(target)]
        torch.index_select(self.buffer, 0, slots, out=target[: len(slots)])
        self.taken += len(slots)
        return len(slots)


def _read_part(reader: SpanReader, out: NDArray[np.floating], spans: Sequence[Span], stopped: Event) -> None:
    for span in spans:  # one by one, because fetching may take long
        if stopped.is_set():
            return
        reader.ensure([span])
    reader.read_into(out, spans)


def valid_frames_of(store: FeatureStore, samples: Samples, feature: str) -> NDArray[np.int64]:
    """(n,) int64: number of frames of ``feature`` that are centred on sound, of each sample."""
    valid = np.empty(len(samples), np.int64)
    for view in samples.view_indices:
        inside = samples.views == view
        valid[inside] = store.valid_frames(samples.clips[inside], (view,), feature)[0]
    return valid
