"""The correlation between MFCCs over every valid frame of the originals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.progress import Progress
from featurestore.report.blocks import CorpusRows, Doubles, Floats, pieces, sum_blocks
from featurestore.report.recorded import recorded_statistics, require_recorded
from featurestore.store import FeatureStore


@dataclass(frozen=True)
class Correlation:
    """Pearson's r for each pair of coefficients.

    ``frames``: number of frames. ``matrix``: (k, k), NaN for a coefficient that never changes. ``mean``,
    ``std``: (k,), per coefficient (population).
    """

    frames: int
    matrix: Doubles
    mean: Doubles
    std: Doubles

    @property
    def strongest(self) -> tuple[int, int, float] | None:
        """The pair of coefficients with the largest absolute correlation, and its r; None if all are 0."""
        apart = np.triu(np.abs(self.matrix), 1)
        if not len(apart) or not np.nanmax(apart, initial=0) > 0:
            return None
        i, j = np.unravel_index(np.nanargmax(apart), apart.shape)
        return int(i), int(j), float(self.matrix[i, j])


def compute_correlation(
    store: FeatureStore, rows: dict[str, CorpusRows], progress: Progress
) -> Correlation | None:
    """Compute the correlation of all pairs of MFCCs, reading every chunk once; None for a store without MFCC.

    Products are summed about the mean recorded in ``statistics.parquet``, which avoids cancellation, and then
    corrected for the error of that mean. Raises what
    :func:`featurestore.report.spectra.compute_mean_spectra` raises.
    """
    if "mfcc" not in store.spec.coefficients:
        return None
    centre = recorded_statistics(store, "mfcc").mean

    def block_sum(values: Floats, lengths: npt.NDArray[np.int64], classes: npt.NDArray[np.int64]) -> Doubles:
        del classes
        return product_sums(values, lengths, centre)

    sums = sum_blocks(store, "mfcc", rows, block_sum, progress)
    frames = round(float(sums[0, 0]))
    off = sums[0, 1:] / max(frames, 1)
    require_recorded(store, "mfcc", frames, centre + off)
    covariance = sums[1:, 1:] / max(frames, 1) - np.outer(off, off)
    std = np.sqrt(np.maximum(np.diag(covariance), 0))
    changing = std > 1e-9 * (1 + np.abs(centre))
    scale = np.where(changing, std, np.nan)
    matrix = np.clip(covariance / np.outer(scale, scale), -1, 1)
    return Correlation(frames, matrix, centre + off, std)


def product_sums(values: Floats, lengths: npt.NDArray[np.int64], centre: Doubles) -> Doubles:
    """(1 + k, 1 + k) float64: sums over valid frames of the outer product of (1, x − ``centre``) with itself.

    [0, 0] counts frames, [0, 1:] sums deviations, and [1:, 1:] sums their products. ``values``: (n, k,
    frame).
    """
    _, count, frames = values.shape
    total = np.zeros((1 + count, 1 + count))
    valid = np.arange(frames) < lengths[:, np.newaxis]
    for part in pieces(values):
        heard = values[part].transpose(0, 2, 1)[valid[part]].astype(np.float64)
        extended = np.concatenate([np.ones((len(heard), 1)), heard - centre], axis=1)
        total += extended.T @ extended
    return total
