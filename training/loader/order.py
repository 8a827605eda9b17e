"""The order in which samples are read: a pure function of (seed, epoch, store digest).

::

    chunks (32 clips of a view)   permuted     windows            samples permuted within a window
      0 1 2 3 4 5 6 7 …        ─▶ 5 2 7 0 … ─▶ 5 2 7 │ 0 6 1 │… ─▶ ▪▫▪▪▫ … │ ▫▪▪▫▪ … │ …  ─▶ cut into batches

It does not depend on the device, the source, the ranks, the threads, the memory, or on what was read before.
So an epoch can be resumed at any batch, and every source reads the same samples. A chunk is read once per
epoch, and only one window at a time must be in memory. Needs only numpy.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.training import ViewSampling
from training.loader.cells import Cells
from training.samples.samples import Samples

WINDOW_CHUNKS = 256
"""8,192 clips, 362 MB at 170 × 130 float16. The number of samples of a class in a batch then varies as under
a full permutation; at most 31 / 256 of its variance is lost, if every chunk holds a single class (see
``tests/training/loader/test_shuffling.py``)."""

_ALGORITHM = 2
"""Increases when the same seed gives a different order than before."""


@dataclass(frozen=True)
class Position:
    """Position of reading: the next batch is ``batch``, over all ranks, of epoch ``epoch``."""

    seed: int
    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, eq=False)
class Epoch:
    """The samples of an epoch in order, and the edges of its batches and windows.

    ``samples`` (n,) int64; ``batches`` (b + 1,) and ``windows`` (w + 1,) int64, edges from 0 to n.
    """

    samples: NDArray[np.int64]
    batches: NDArray[np.int64]
    windows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Order:
    """Order of the samples of one side; created by :meth:`of`."""

    cells: Cells
    batch_size: int
    view_sampling: ViewSampling
    store_digest: str
    window: int
    """Number of chunks that are shuffled together."""
    fingerprint: str
    """Hash of everything the order depends on except the position: store, samples, batch size, view sampling
    and window. A position is valid only for the same fingerprint."""

    @classmethod
    def of(
        cls,
        store: FeatureStore,
        samples: Samples,
        batch_size: int,
        view_sampling: ViewSampling = "all",
        window: int = WINDOW_CHUNKS,
    ) -> Order:
        """Order of ``samples`` of ``store`` in batches of at most ``batch_size``.

        Raises :class:`ValueError` for the view sampling ``one`` if the clips of a chunk have different views.
        """
        cells = Cells.of(store, samples)
        if view_sampling == "one":
            cells.require_every_view(samples)
        facts = ["loader", _ALGORITHM, store.digest, batch_size, view_sampling, window]
        sha = hashlib.sha256(json.dumps(facts).encode())
        for part in (samples.clips, samples.views, samples.targets):
            dtype = "<f8" if part.dtype.kind == "f" else "<i8"
            sha.update(np.ascontiguousarray(part, dtype=dtype).tobytes())
        fingerprint = f"sha256:{sha.hexdigest()}"
        return cls(cells, batch_size, view_sampling, store.digest, window, fingerprint)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return math.ceil(self.count / self.batch_size)

    @cached_property
    def count(self) -> int:
        """Samples per epoch."""
        if self.view_sampling == "all":
            return len(self.cells)
        return int(self.cells.sizes[self.cells.of_chunk[:-1]].sum())

    def batches(self, position: Position) -> Iterator[NDArray[np.int64]]:
        """Batches of an epoch from ``position`` on, (B,) int64 sample indices each.

        Batch sizes differ by at most 1.
        """
        epoch = self.epoch(position.seed, position.epoch)
        for start, stop in pairwise(epoch.batches[position.batch :]):
            yield epoch.samples[start:stop]

    def epoch(self, seed: int, epoch: int) -> Epoch:
        """Draw a whole epoch."""
        generator = _generator(seed, epoch, self.store_digest)
        cells = self.cells
        if self.view_sampling == "one":
            drawn = cells.of_chunk[:-1] + generator.integers(0, np.diff(cells.of_chunk))
        else:
            drawn = np.arange(len(cells.chunk))
        drawn = generator.permutation(drawn)
        windows = np.array_split(drawn, max(1, math.ceil(len(drawn) / self.window)))
        mixed = [generator.permutation(cells.samples_of(window)) for window in windows]
        return Epoch(
            samples=np.concatenate(mixed),
            batches=_even_edges(self.count, len(self)),
            windows=np.cumsum([0, *map(len, mixed)], dtype=np.int64),
        )


def _generator(seed: int, epoch: int, store_digest: str) -> np.random.Generator:
    facts = json.dumps(["training order", _ALGORITHM, seed, epoch, store_digest])
    key = hashlib.blake2b(facts.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def _even_edges(count: int, parts: int) -> NDArray[np.int64]:
    """Edges that divide ``count`` items into ``parts`` of nearly equal size, larger ones first."""
    sizes = count // max(1, parts) + (np.arange(parts) < count % max(1, parts))
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
