"""The statistics that a store records for the originals of a feature, and their check against the values."""

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
    """Moments of all originals, as recorded in ``statistics.parquet``."""
    return store.statistics(store.manifest["speaker"].unique().tolist())[feature]


def require_recorded(store: FeatureStore, feature: str, frames: int, mean: Doubles) -> None:
    """Make sure that the frames read match the statistics that the store records.

    ``frames``: number of valid frames read. ``mean``: (coefficient,) mean over them. Raises
    :class:`StoreDamagedError` if they differ: a table or an array is then not what a build wrote.
    """
    recorded = recorded_statistics(store, feature)
    off = np.abs(mean - recorded.mean) / (1 + np.abs(recorded.mean) + recorded.std) if frames else np.zeros(1)
    if recorded.count != frames or not np.all(off <= _TOLERANCE):
        raise StoreDamagedError(
            f"{STATISTICS} in {store.place} does not match the originals of {feature}: it records "
            f"{recorded.count:,} frames, but {frames:,} were read, with a relative error of the mean of "
            f"{np.max(off):.1e}; {REPAIR}"
        )
