"""Samples as vectors in memory, each computed once when training begins.

::

    store ──▶ streamed, 64 samples at a time ──▶ functionals or pooled states of encoders ──▶ (n, D) float32

From then on a sample is a vector, and frames are not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.errors import RunError
from schemas.training import NormalisationGroup
from training.loader.memory import default_budget, gpu_budget
from training.loader.open import open_source
from training.loader.ram import RamSource
from training.loader.targets import target_tensor
from training.samples.samples import Samples
from training.vectors.clip_vectors import ClipVectors, Functionals
from training.vectors.groups import normalise_within, whole_groups

_AT_ONCE = 64
"""Samples computed at a time; the sorted descriptors of functionals take 6 MB each."""


def require_room_for_vectors(
    sides: Collection[Samples],
    vectors: ClipVectors,
    device: torch.device,
    budget: int | None = None,
    *,
    copies: int = 1,
) -> None:
    """Raise :class:`RunError` if ``device`` has no room for the vectors of the samples of all ``sides``.

    ``budget``: bytes of the machine's memory that they may take; None: half of the free memory. It is no
    limit for a GPU's memory. ``copies``: number of float32 tables in memory at the same time.
    """
    samples = sum(map(len, sides))
    size = samples * vectors.width * 4 * copies
    if device.type == "cuda":
        room, memory, more = gpu_budget(device), "the GPU's memory", "train with --device cpu"
    else:
        room = default_budget() if budget is None else budget
        memory, more = "memory", "allow more with --memory"
    if size > room:
        kind = "functionals" if isinstance(vectors, Functionals) else "embeddings"
        raise RunError(
            f"the {kind} of {samples} samples take {size / 1e9:.2g} GB, but only {room / 1e9:.2g} GB of "
            f"{memory} may be used; {more}, or train on fewer views (--views 0)"
        )


def read_vectors(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    vectors: ClipVectors,
    device: torch.device,
    loaded: Callable[[int], None] = lambda _: None,
    *,
    within: NormalisationGroup | None = None,
) -> Tensor:
    """Vectors of ``samples`` of ``store`` in their order, (n, D) float32, on ``device``.

    ``features`` are stacked as ``vectors`` expects them. ``loaded`` is called with numbers of samples while
    they are read. ``within`` normalises over all clips of the speakers or corpora
    (:mod:`training.vectors.groups`). Raises :class:`RunError` if one of them has too few clips for that,
    and what reading a store raises.
    """
    if within is not None:
        wider, rows_of_samples = whole_groups(store, samples, features, within)
        found = read_vectors(store, wider, features, vectors, device, loaded)
        normalise_within(found, store, wider, within)
        return found[torch.from_numpy(rows_of_samples).to(device)]
    vectors = vectors.to(device)
    found = torch.empty((len(samples), vectors.width), device=device)
    done = 0
    source = open_source(store, samples, features, "stream", device, layers=vectors.layers or None)
    for batch in source.in_order(_AT_ONCE):
        part = slice(done, done + len(batch.targets))
        found[part] = vectors(batch.features[:, 0], batch.valid_frames)
        loaded(len(batch.targets))
        done = part.stop
    return found


def vectors_source(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    vectors: ClipVectors,
    device: torch.device,
    loaded: Callable[[int], None] = lambda _: None,
    *,
    within: NormalisationGroup | None = None,
) -> RamSource:
    """Source of the vectors of :func:`read_vectors`, (n, D, 1), one valid frame per sample."""
    found = read_vectors(store, samples, features, vectors, device, loaded, within=within)
    ones = torch.ones(len(samples), dtype=torch.int64)
    return RamSource(found[..., None], ones, target_tensor(samples), device)
