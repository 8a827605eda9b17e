"""Which clips, views and features a reader asks for, checked against what the store holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.errors import UsageError
from schemas.spec import StoreSpec

Positions = Sequence[int] | npt.NDArray[np.integer]
"""Positions in the manifest."""


def select_features(spec: StoreSpec, names: Sequence[str] | None) -> dict[str, int]:
    """Name → number of coefficients of the features asked for; None: all. Raises :class:`UsageError`."""
    known = spec.coefficients
    for name in names or ():
        if name not in known:
            raise UsageError(f"the store has no feature '{name}'; it has {', '.join(known)}")
    return {name: known[name] for name in (known if names is None else names)}


def select_views(spec: StoreSpec, views: Sequence[int]) -> list[int]:
    """Indices of views. Raises :class:`UsageError`."""
    names = spec.view_names
    for view in views:
        if not 0 <= view < len(names):
            raise UsageError(
                f"the store has no view {view}; it has 0 to {len(names) - 1} ({', '.join(names)})"
            )
    return [int(view) for view in views]


def select_positions(count: int, clips: Positions) -> npt.NDArray[np.int64]:
    """Positions among ``count`` clips, (n,) int64. Raises :class:`UsageError`."""
    positions = np.asarray(clips)
    if positions.size == 0:
        return np.empty(0, np.int64)
    if not np.issubdtype(positions.dtype, np.integer):
        raise UsageError(
            f"clips are positions in the manifest, whole numbers, not {positions.dtype}; "
            f"for a condition give manifest.index[condition]"
        )
    outside = positions[(positions < 0) | (positions >= count)]
    if len(outside):
        raise UsageError(f"clip positions run from 0 to {count - 1}, got {outside[0]}")
    return positions.astype(np.int64)
