"""Count, mean and variance of features, stored by unit, speaker and view, and merged exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.format.tables import read_table
from featurestore.places.place import Place
from schemas.spec import StoreSpec

_MOST_BYTES = 2**30

STATISTICS_SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("unit", pa.int64(), nullable=False),
        pa.field("speaker", pa.string(), nullable=False),
        pa.field("view", pa.int64(), nullable=False),
        pa.field("feature", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("mean", pa.list_(pa.float64()), nullable=False),
        pa.field("m2", pa.list_(pa.float64()), nullable=False),
    ]
)
"""``statistics.parquet``: number of valid frames, and mean and M2 = Σ (x − mean)² of each coefficient."""


def read_statistics(place: Place, name: str, spec: StoreSpec, most: int | None = None) -> pa.Table:
    """Read the statistics of one unit, for all or some of the features and views of ``spec``.

    ``most`` : most coefficients of a feature; None: those of ``spec``.

    Raises :class:`StoreDamagedError` if the table cannot be such statistics.
    """
    rows = spec.storage.shard_clips * len(spec.view_names) * len(spec.features)
    data = place.read(name, _MOST_BYTES)
    most_values = most or max(spec.coefficients.values())
    return read_table(data, name, STATISTICS_SCHEMA, rows, exact=False, most_values=most_values)


def sort_statistics(table: pa.Table, spec: StoreSpec) -> pa.Table:
    """Sort the rows of one unit by speaker, view, and feature in the order of the specification."""
    order = {feature.name: index for index, feature in enumerate(spec.features)}
    keys = zip(
        table["speaker"].to_pylist(),
        table["view"].to_pylist(),
        (order[feature] for feature in table["feature"].to_pylist()),
        strict=True,
    )
    ranked = [index for index, _ in sorted(enumerate(keys), key=lambda entry: entry[1])]
    return table.take(pa.array(ranked, pa.int64())).combine_chunks()


@dataclass(frozen=True)
class Statistics:
    """Moments of one feature over a set of frames.

    ``count``: number of frames. ``mean``, ``m2``: (coefficient,) float64; M2 is the sum of squared deviations
    from the mean.
    """

    count: int
    mean: npt.NDArray[np.float64]
    m2: npt.NDArray[np.float64]

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """Population standard deviation, (coefficient,) float64; zeros if there are no frames."""
        deviation: npt.NDArray[np.float64] = np.sqrt(self.m2 / max(self.count, 1))
        return deviation


def merge(
    counts: npt.NDArray[np.int64], means: npt.NDArray[np.float64], m2s: npt.NDArray[np.float64]
) -> Statistics:
    """Merge the moments of n groups of frames: (n,) counts and (n, coefficient) means and M2s.

    Chan, Golub & LeVeque (1979), for all groups together: M2 = Σ M2ᵢ + Σ nᵢ (meanᵢ − mean)².
    """
    total = int(counts.sum())
    if total == 0:
        zeros = np.zeros(means.shape[1])
        return Statistics(0, zeros, zeros)
    weights = counts.astype(np.float64)[:, None]
    mean = _sums(weights * means) / total
    m2 = _sums(m2s) + _sums(weights * np.square(means - mean))
    return Statistics(total, mean, m2)


def _sums(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum of each column, in an order that does not depend on the number of columns."""
    total: npt.NDArray[np.float64] = np.ascontiguousarray(values.T).sum(axis=1)
    return total
