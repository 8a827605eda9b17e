"""Samples as functionals in memory, each computed once when training begins.

::

    store ──▶ streamed, 64 samples at a time ──▶ descriptors ──▶ S statistics ──▶ (n, D · S) float32

From then on a sample is a vector, and frames are not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.architecture import Statistic
from schemas.errors import RunError
from training.functionals.descriptors import descriptor_count, descriptors
from training.functionals.speaker import normalise_by_speaker, whole_speakers
from training.functionals.statistics import STATISTIC_NAMES, statistics
from training.loader.memory import default_budget
from training.loader.open import open_source
from training.loader.ram import RamSource
from training.samples.samples import Samples

_AT_ONCE = 64
"""Samples computed at a time; their sorted descriptors take 6 MB each."""


def functionals_count(coefficients: Mapping[str, int]) -> int:
    """Number of functionals of features with these numbers of rows."""
    return descriptor_count(coefficients) * len(STATISTIC_NAMES)


def functionals_of(
    features: Tensor,
    valid_frames: Tensor,
    columns: Mapping[str, slice],
    names: Sequence[Statistic] = STATISTIC_NAMES,
) -> Tensor:
    """Stored features (B, C, T) → functionals (B, D · S) float32.

    ``columns`` gives the rows of each feature in C; ``valid_frames`` (B,) int64 are the frames to use. The
    result holds the S statistics ``names`` of the first descriptor, then those of the next.
    """
    return statistics(descriptors(features, columns), valid_frames, names).flatten(1)


def require_room_for_functionals(
    store: FeatureStore,
    sides: Collection[Samples],
    features: Sequence[str],
    budget: int | None = None,
    *,
    names: Sequence[Statistic] = STATISTIC_NAMES,
    copies: int = 1,
) -> None:
    """Raise :class:`RunError` if there is no room for the functionals of the samples of all ``sides``.

    ``budget``: bytes that they may take; None: half of the free memory. ``copies``: number of float32 tables
    in memory at the same time.
    """
    rows = {name: store.spec.coefficients[name] for name in features}
    samples = sum(map(len, sides))
    size = samples * descriptor_count(rows) * len(names) * 4 * copies
    room = default_budget() if budget is None else budget
    if size > room:
        raise RunError(
            f"the functionals of {samples} samples take {size / 1e9:.2g} GB, but only {room / 1e9:.2g} GB of "
            "memory may be used; allow more with --memory, or train on fewer views (--views 0)"
        )


def read_functionals(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    device: torch.device,
    loaded: Callable[[int], None] = lambda _: None,
    *,
    names: Sequence[Statistic] = STATISTIC_NAMES,
    by_speaker: bool = False,
) -> Tensor:
    """Functionals of ``samples`` of ``store`` in their order, (n, D · S) float32, on ``device``.

    ``loaded`` is called with numbers of samples while they are read. ``by_speaker`` normalises over all clips
    of the speakers (:mod:`training.functionals.speaker`). Raises :class:`RunError` if a speaker has too few
    clips for that, and what reading a store raises.
    """
    if by_speaker:
        wider, rows_of_samples = whole_speakers(store, samples)
        vectors = read_functionals(store, wider, features, device, loaded, names=names)
        normalise_by_speaker(vectors, store, wider)
        return vectors[torch.from_numpy(rows_of_samples).to(device)]
    rows = {name: store.spec.coefficients[name] for name in features}
    columns = columns_of(rows)
    vectors = torch.empty((len(samples), descriptor_count(rows) * len(names)), device=device)
    done = 0
    for batch in open_source(store, samples, features, "stream", device).in_order(_AT_ONCE):
        part = slice(done, done + len(batch.targets))
        vectors[part] = functionals_of(batch.features[:, 0], batch.valid_frames, columns, names)
        loaded(len(batch.targets))
        done = part.stop
    return vectors


def functionals_source(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    device: torch.device,
    loaded: Callable[[int], None] = lambda _: None,
    *,
    by_speaker: bool = False,
) -> RamSource:
    """Source of the functionals of :func:`read_functionals`, (n, F, 1), one valid frame per sample."""
    vectors = read_functionals(store, samples, features, device, loaded, by_speaker=by_speaker)
    ones = torch.ones(len(samples), dtype=torch.int64)
    return RamSource(vectors[..., None], ones, torch.from_numpy(samples.targets.astype("int64")), device)


def columns_of(rows: Mapping[str, int]) -> dict[str, slice]:
    """Slice of each feature if features with these numbers of rows are stacked."""
    columns, start = {}, 0
    for name, height in rows.items():
        columns[name] = slice(start, start + height)
        start += height
    return columns
