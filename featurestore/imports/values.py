"""Entries of a source as the numbers that a store holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from featurestore.compute.imported import Numbers
from featurestore.format.manifest import ManifestRow
from featurestore.imports.source import Array, Entry
from featurestore.progress import Progress
from schemas.errors import FeatureSourceError
from schemas.spec import StorageSpec


@dataclass(frozen=True)
class SourceValues:
    """The values of clips: ``entries`` by clip id, only those that a store can hold."""

    entries: Mapping[str, Entry]
    storage: StorageSpec

    def frames(self, clip_id: str) -> int:
        """Frames of a clip; 0 if it has no values."""
        entry = self.entries.get(clip_id)
        return 0 if entry is None else _frames(entry)

    def of(self, clip: ManifestRow) -> Numbers | None:
        """(coefficients, frames) in the store's dtype; None for a clip without values."""
        entry = self.entries.get(clip.clip_id)
        return None if entry is None else stored_values(entry.load(), self.storage)


def usable_entries(
    entries: Mapping[str, Entry], storage: StorageSpec, progress: Progress
) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """Read all entries once: those that have frames and only finite numbers, and the ids of the others.

    Raises :class:`FeatureSourceError` for a number that the store's dtype cannot hold.
    """
    usable: dict[str, Entry] = {}
    unusable: list[str] = []
    most = float(np.finfo(storage.dtype).max)
    with progress.task("check", len(entries), "clips") as advance:
        for clip_id, entry in entries.items():
            numbers = entry.load()
            if numbers.size and np.isfinite(numbers).all():
                usable[clip_id] = entry
                if (largest := float(np.abs(numbers.astype(np.float64)).max())) > most:
                    raise FeatureSourceError(
                        f"'{entry.key}' has the value {largest:g}, but {storage.dtype} holds at most "
                        f"{most:g}; scale the values, or build the store with --dtype float32"
                    )
            else:
                unusable.append(clip_id)
            advance(1)
    return usable, tuple(unusable)


def stored_values(numbers: Array, storage: StorageSpec) -> Numbers:
    """(values,), (frames, values) or (layers, frames, values) → (coefficients, frames) as stored."""
    layered = numbers.reshape((1,) * (3 - numbers.ndim) + numbers.shape)
    turned = layered.swapaxes(1, 2).reshape(-1, layered.shape[1])
    stored: Numbers = np.ascontiguousarray(turned, dtype=storage.dtype)
    if storage.codec == "bitround":
        import torch

        from pipelines.quantise import round_bits

        stored = round_bits(torch.from_numpy(stored)).numpy()
    return stored


def _frames(entry: Entry) -> int:
    return 1 if len(entry.shape) == 1 else entry.shape[-2]
