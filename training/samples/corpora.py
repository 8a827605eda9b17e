"""Corpora that are requested by name."""

from __future__ import annotations

from collections.abc import Sequence

from featurestore.store import FeatureStore
from schemas.errors import UsageError


def require_datasets(store: FeatureStore, names: Sequence[str]) -> None:
    """Raise :class:`UsageError` if the store lacks corpora that were requested by name."""
    existing = sorted(store.document.datasets)
    absent = [name for name in names if name not in existing]
    if absent:
        raise UsageError(
            f"the store has no corpus {' or '.join(absent)}; choose from {', '.join(existing)} with "
            "--datasets"
        )
