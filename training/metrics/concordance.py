"""Concordance correlation coefficient and RMSE of predicted values, from sums over groups of clips. No torch.

For truth ``x`` and prediction ``y`` with means ``m``, population variances ``s²`` and covariance ``s_xy``::

    CCC = 2 s_xy / (s_x² + s_y² + (m_x − m_y)²)        RMSE = √ mean((x − y)²)

Lin 1989, doi:10.2307/2532051. The CCC lies in −1…1: it is 1 only if every prediction equals its truth, and 0
if the truth is constant. If truth and prediction are the same constant, it is 0 / 0 and counts as 1, which is
its limit for predictions that equal the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-12
"""Share of the mean square below which a spread is rounding."""


@dataclass(frozen=True, eq=False)
class AgreementSums:
    """Sums over clips of truth ``x`` and prediction ``y`` of each dimension, both minus the same constant.

    ``clips`` (…, 1); the others (…, dimensions), all float64. Leading axes index several groups of clips.
    """

    clips: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats

    @classmethod
    def of(cls, true: Floats, predicted: Floats, group: NDArray[np.int64] | None = None) -> Self:
        """Sums over each group of clips, (groups, dimensions); without ``group``, of all as one group.

        ``true`` and ``predicted`` (clips, dimensions); ``group`` (clips,) are indices from 0.
        """
        if group is None:
            group = np.zeros(len(true), dtype=np.int64)
        centre = true.mean(axis=0)  # sums of squares of large values would lose digits
        x, y = true - centre, predicted - centre
        groups = int(group.max()) + 1

        def add(values: Floats) -> Floats:
            out = np.zeros((groups, values.shape[1]))
            np.add.at(out, group, values)
            return out

        return cls(add(np.ones((len(x), 1))), add(x), add(y), add(x * x), add(y * y), add(x * y))

    def weight(self, weights: Floats) -> Self:
        """Sums over the groups of (groups, dimensions), weighted by each row of (sums, groups)."""
        return type(self)(
            weights @ self.clips,
            weights @ self.x,
            weights @ self.y,
            weights @ self.xx,
            weights @ self.yy,
            weights @ self.xy,
        )

    @property
    def ccc(self) -> Floats:
        """(…, dimensions), in −1…1."""
        mean_x, mean_y = self.x / self.clips, self.y / self.clips
        spread = (
            self.xx / self.clips
            - mean_x * mean_x
            + self.yy / self.clips
            - mean_y * mean_y
            + (mean_x - mean_y) ** 2
        )
        covariance = self.xy / self.clips - mean_x * mean_y
        same = spread <= _ROUNDING * (self.xx + self.yy) / self.clips
        return np.where(same, 1.0, 2 * covariance / np.where(same, 1.0, spread))

    @property
    def rmse(self) -> Floats:
        """(…, dimensions), in the units of the values."""
        squares = (self.xx - 2 * self.xy + self.yy) / self.clips
        found: Floats = np.sqrt(np.maximum(squares, 0.0))
        return found


def mean_ccc(true: Floats, predicted: Floats) -> float:
    """Mean over the dimensions of the CCC of ``true`` and ``predicted`` (clips, dimensions)."""
    return float(AgreementSums.of(true, predicted).ccc.mean())
