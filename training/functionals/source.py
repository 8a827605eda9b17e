"""Samples as functionals in memory: each is computed once, when the training begins.

::

    store ──▶ streamed, 256 samples at a time ──▶ descriptors ──▶ statistics ──▶ (n, D · 33, 1) float32

From then on a sample is a vector; frames are read no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.functionals.descriptors import count, descriptors
from training.functionals.statistics import STATISTICS, statistics
from training.loader.memory import default_budget
from training.loader.open import open_source
from training.loader.ram import RamSource
from training.samples import Samples

_AT_ONCE = 64
"""Samples; their sorted descriptors take 6 MB each."""


def functionals_count(coefficients: Mapping[str, int]) -> int:
    """Number of functionals of features with so many rows each."""
    return count(coefficients) * STATISTICS


def functionals_of(features: Tensor, valid_frames: Tensor, columns: Mapping[str, slice]) -> Tensor:
    """Stored features (B, C, T), stacked as ``columns`` tell, with ``valid_frames`` (B,) → (B, F) float32."""
    return statistics(descriptors(features, columns), valid_frames).flatten(1)


def require_room_for_functionals(
    store: FeatureStore, sides: Collection[Samples], features: Sequence[str], budget: int | None = None
) -> None:
    """Raise :class:`RunError` where the samples of all ``sides`` have no functionals, or no room for them.

    ``budget``: bytes that they may take; None: half of what is free.
    """
    rows = {name: store.spec.coefficients[name] for name in features}
    if not count(rows):
        raise RunError(
            f"there are no functionals of {', '.join(features)}; the recipe needs mel, mfcc, chroma, zcr or "
            "rms"
        )
    samples = sum(map(len, sides))
    size, room = samples * functionals_count(rows) * 4, default_budget() if budget is None else budget
    if size > room:
        raise RunError(
            f"the functionals of {samples} samples take {size / 1e9:.2f} GB and {room / 1e9:.2f} GB of "
            "memory may be used; give more by --memory, or train on fewer views (--views 0)"
        )


def read_functionals(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    device: torch.device,
    loaded: Callable[[int], None] = lambda _: None,
) -> RamSource:
    """Functionals of ``samples`` of ``store``, (n, F, 1) float32, on ``device``, each of one valid frame.

    ``loaded`` is called with numbers of samples meanwhile. Raises what reading a store raises.
    """
    rows = {name: store.spec.coefficients[name] for name in features}
    columns = columns_of(rows)
    vectors = torch.empty((len(samples), functionals_count(rows), 1), device=device)
    done = 0
    for batch in open_source(store, samples, features, "stream", device).in_order(_AT_ONCE):
        part = slice(done, done + len(batch.targets))
        vectors[part, :, 0] = functionals_of(batch.features[:, 0], batch.valid_frames, columns)
        loaded(len(batch.targets))
        done = part.stop
    ones = torch.ones(len(samples), dtype=torch.int64)
    return RamSource(vectors, ones, torch.from_numpy(samples.targets.astype("int64")), device)


def columns_of(rows: Mapping[str, int]) -> dict[str, slice]:
    """Feature → its part of the coefficients where features of so many rows stand side by side."""
    columns, start = {}, 0
    for name, height in rows.items():
        columns[name] = slice(start, start + height)
        start += height
    return columns
