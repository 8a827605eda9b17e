"""Linear discriminant analysis with shrinkage, also for more values than clips.

With the within-class rows Z (n, D), the covariance is Σ = (1 − α) ZᵀZ + α μ I with μ = tr(ZᵀZ) / D, as of
scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=α)``. One eigendecomposition, of ZᵀZ
(D, D) or of the smaller ZZᵀ (n, n), gives the solution for every α.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.training import ClassWeights

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
        dual = len(values) < values.shape[1]
        eigenvalues, vectors = np.linalg.eigh(within @ within.T if dual else within.T @ within)
        kept = eigenvalues > _NEGLIGIBLE * eigenvalues.max(initial=0)
        self._eigenvalues = eigenvalues[kept]
        # The axes of the covariance are the rows of inner @ outer, whose product is never formed.
        self._inner: Floats = vectors[:, kept].T
        self._outer: Floats | None = None
        if dual:
            self._inner = self._inner / np.sqrt(self._eigenvalues)[:, None]
            self._outer = within
        self._along = self._project(self._means)

    @property
    def bytes(self) -> int:
        """Bytes of the arrays that it keeps."""
        outer = 0 if self._outer is None else self._outer.nbytes
        return self._inner.nbytes + outer + self._means.nbytes + self._along.nbytes

    def solve(self, shrinkage: float) -> tuple[Floats, Floats]:
        """Coefficients (classes, D) and intercepts (classes,) for one shrinkage from 0 to 1.

        Without shrinkage, directions in which no clip differs from its class are ignored, as by least
        squares.
        """
        floor = shrinkage * self._spread
        inverse = 1 / ((1 - shrinkage) * self._eigenvalues + floor)
        coef: Floats
        if floor > 0:
            coef = (self._means + self._expand(self._along * (floor * inverse - 1))) / floor
        else:
            coef = self._expand(self._along * inverse)
        intercept: Floats = np.log(self._priors) - 0.5 * np.einsum("cd,cd->c", self._means, coef)
        return coef, intercept

    def _project(self, rows: Floats) -> Floats:
        """Rows (k, D) along the axes: (k, axes)."""
        found: Floats = (rows if self._outer is None else rows @ self._outer.T) @ self._inner.T
        return found

    def _expand(self, along: Floats) -> Floats:
        """Rows given along the axes (k, axes) as rows (k, D)."""
        found: Floats = along @ self._inner
        return found if self._outer is None else found @ self._outer


def priors_of(targets: NDArray[np.int64], class_weights: ClassWeights) -> Floats:
    """Priors (classes,) of classes ``targets`` (n,), numbered from 0 without gaps.

    ``balanced``: all are equal; otherwise they are the shares of the classes.
    """
    counts = np.bincount(targets)
    found: Floats = (
        np.full(len(counts), 1 / len(counts)) if class_weights == "balanced" else counts / len(targets)
    )
    return found
