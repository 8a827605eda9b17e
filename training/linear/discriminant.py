"""Linear discriminant analysis with shrinkage, also for more values than clips.

With the within-class rows Z (n, D), the covariance is Σ = (1 − α) ZᵀZ + α μ I with μ = tr(ZᵀZ) / D, as of
scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=α)``. One eigendecomposition, of ZᵀZ
(D, D) or of the smaller ZZᵀ (n, n), gives the solution for every α.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NEGLIGIBLE = 1e-12
"""Eigenvalues below this share of the largest are rounding."""


class Discriminant:
    """Analysis of ``values`` (n, D) float64 with classes ``targets`` (n,), numbered from 0 without gaps.

    ``priors`` (classes,) sum to 1.
    """

    def __init__(self, values: Floats, targets: NDArray[np.int64], priors: Floats) -> None:
        counts = np.bincount(targets)
        self._priors = priors
        self._means = np.stack([values[targets == label].mean(axis=0) for label in range(len(counts))])
        within = (values - self._means[targets]) * np.sqrt(priors / counts)[targets][:, None]
        self._spread = float(np.square(within).sum()) / values.shape[1]
        if len(values) < values.shape[1]:
            eigenvalues, vectors = np.linalg.eigh(within @ within.T)
            kept = eigenvalues > _NEGLIGIBLE * eigenvalues.max(initial=0)
            self._eigenvalues = eigenvalues[kept]
            self._axes = within.T @ vectors[:, kept] / np.sqrt(self._eigenvalues)
        else:
            eigenvalues, vectors = np.linalg.eigh(within.T @ within)
            kept = eigenvalues > _NEGLIGIBLE * eigenvalues.max(initial=0)
            self._eigenvalues, self._axes = eigenvalues[kept], vectors[:, kept]

    def solve(self, shrinkage: float) -> tuple[Floats, Floats]:
        """Coefficients (classes, D) and intercepts (classes,) for one shrinkage from 0 to 1.

        Without shrinkage, directions in which no clip differs from its class are ignored, as by least
        squares.
        """
        floor = shrinkage * self._spread
        along = self._means @ self._axes
        inverse = 1 / ((1 - shrinkage) * self._eigenvalues + floor)
        coef: Floats
        if floor > 0:
            coef = (self._means + (along * (floor * inverse - 1)) @ self._axes.T) / floor
        else:
            coef = (along * inverse) @ self._axes.T
        intercept: Floats = np.log(self._priors) - 0.5 * np.einsum("cd,cd->c", self._means, coef)
        return coef, intercept
