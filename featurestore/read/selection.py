"""The clips, views and features that a reader asks for, checked against the contents of the store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.errors import UsageError
from schemas.spec import StoreSpec

Positions = Sequence[int] | npt.NDArray[np.integer]
"""Positions in the manifest."""


def select_features(spec: StoreSpec, names: Sequence[str] | None) -> dict[str, int]:
    """The requested features (None: all) as name → number of coefficients.

    Raises :class:`UsageError` for a feature that the store does not have.
    """
    known = spec.coefficients
    for name in names or ():
        if name not in known:
            raise UsageError(f"the store has no feature '{name}'; it has {', '.join(known)}")
    return {name: known[name] for name in (known if names is None else names)}


def select_views(spec: StoreSpec, views: Sequence[int]) -> list[int]:
    """The requested view indices. Raises :class:`UsageError` for a view that the store does not have."""
    names = spec.view_names
    for view in views:
        if not 0 <= view < len(names):
            raise UsageError(
                f"the store has no view {view}; it has 0 to {len(names) - 1} ({', '.join(names)})"
            )
    return [int(view) for view in views]


def select_positions(count: int, clips: Positions) -> npt.NDArray[np.int64]:
    """The requested positions among ``count`` clips, (n,) int64. Raises :class:`UsageError`."""
    positions = np.asarray(clips)
    if positions.size == 0:
        return np.empty(0, np.int64)
    if not np.issubdtype(positions.dtype, np.integer):
        raise UsageError(
            f"clips must be integer positions in the manifest, not {positions.dtype}; "
            f"for a boolean condition, give manifest.index[condition]"
        )
    outside = positions[(positions < 0) | (positions >= count)]
    if len(outside):
        raise UsageError(f"clip positions must be between 0 and {count - 1}, got {outside[0]}")
    return positions.astype(np.int64)
