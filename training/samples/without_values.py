"""Clips of a store that lack values of imported features, which other tools computed for some clips."""

from __future__ import annotations

from collections.abc import Sequence

from featurestore.store import FeatureStore
from training.samples.selection import ImportedValues


def imported_values(store: FeatureStore, features: Sequence[str]) -> ImportedValues | None:
    """Which clips have values of the imported ones among ``features``; None if none was imported."""
    names = tuple(feature.name for feature in store.spec.imported if feature.name in features)
    return ImportedValues(names, store.has_values(names)) if names else None
