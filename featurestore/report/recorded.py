"""What ``statistics.parquet`` says of a feature's originals, held against the numbers themselves."""

from __future__ import annotations

import numpy as np

from featurestore.format.layout import STATISTICS
from featurestore.format.statistics import Statistics
from featurestore.read.opening import REPAIR
from featurestore.report.blocks import Doubles
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError

_TOLERANCE = 1e-6


def recorded_statistics(store: FeatureStore, feature: str) -> Statistics:
    """Moments of all originals as the store states them."""
    return store.statistics(store.manifest["speaker"].unique().tolist())[feature]


def require_recorded(store: FeatureStore, feature: str, frames: int, mean: Doubles) -> None:
    """Make sure that what was counted and averaged is what the store states.

    ``frames`` : valid frames that were read. ``mean`` : (coefficient,), over these. Raises
    :class:`StoreDamagedError`: then a table or the arrays are not what a build wrote.
    """
    said = recorded_statistics(store, feature)
    off = np.abs(mean - said.mean) / (1 + np.abs(said.mean) + said.std) if frames else np.zeros(1)
    if said.count != frames or not np.all(off <= _TOLERANCE):
        raise StoreDamagedError(
            f"{STATISTICS} in {store.place} does not fit the originals of {feature}: it tells of "
            f"{said.count:,} frames, and {frames:,} were read, whose mean is off by "
            f"{np.max(off):.1e} of its size; {REPAIR}"
        )
