"""Linear classifiers of many trials on the same vectors: what they share is computed once.

With fewer clips than values, support vector machines and logistic regressions are fitted in the span of the
clips, where the values are as many as the clips::

    standardised Z (n, D)  ──▶  Z = R Vᵀ, V orthonormal (D, n)  ──▶  R (n, n), and Y V of clips Y to predict

Their penalty depends on the coefficients' norm alone, so the solution in the span is that in D dimensions, up
to rounding. A discriminant analysis keeps its eigendecomposition, which serves every shrinkage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from schemas.architecture import LinearSpec
from schemas.training import ClassWeights
from training.linear.classifier import fit_standardised, standardise
from training.linear.discriminant import Discriminant, priors_of
from training.search.kept import Kept

Floats = NDArray[np.float64]

_NEGLIGIBLE = 1e-12
"""Eigenvalues below this share of the largest are rounding."""


@dataclass(frozen=True, eq=False)
class Values:
    """Vectors of the clips that fit a trial and of those that judge it.

    ``key`` : equal for equal vectors. ``read`` : gives both, (n, D) and (m, D) float32. ``targets`` (n,) :
    class indices of the first.
    """

    key: str
    read: Callable[[], tuple[NDArray[np.float32], NDArray[np.float32]]]
    targets: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Standardised:
    """Standardised vectors (n, d) that fit and (m, d) that judge, by the mean and deviation of the first."""

    fit: Floats
    judge: Floats

    @property
    def bytes(self) -> int:
        """Bytes of both."""
        return self.fit.nbytes + self.judge.nbytes


class LinearFits:
    """Fits linear classifiers and predicts; keeps what later trials can use, in ``budget`` bytes."""

    def __init__(self, budget: int) -> None:
        self._spans = Kept[_Standardised](budget // 2, lambda span: span.bytes)
        self._analyses = Kept[tuple[Discriminant, _Standardised]](
            budget // 2, lambda kept: kept[0].bytes + kept[1].bytes
        )

    @property
    def bytes(self) -> int:
        """Bytes of everything that is kept."""
        return self._spans.bytes + self._analyses.bytes

    def predict(self, spec: LinearSpec, values: Values, classes: int, class_weights: ClassWeights) -> Floats:
        """Probabilities (m, classes), without a temperature, by the classifier that ``spec`` describes.

        As :func:`training.linear.classifier.fit_classifier` up to rounding. ``spec`` has no choices.
        """
        if spec.classifier == "lda" and not spec.statistics and spec.shrinkage != "auto":
            return self._analyse(spec.shrinkage, values, classes, class_weights)
        spans = spec.classifier != "lda"  # its shrinkage depends on the number of values
        span = self._spans.get(
            f"{spans} {values.key}",
            lambda: _span(_standardised(values)) if spans else _standardised(values),
        )
        ((coef, intercept),) = fit_standardised(spec, span.fit, values.targets, classes, class_weights)
        return _softmax(span.judge @ coef.T + intercept)

    def _analyse(self, shrinkage: float, values: Values, classes: int, class_weights: ClassWeights) -> Floats:
        present, labels = np.unique(values.targets, return_inverse=True)

        def begin() -> tuple[Discriminant, _Standardised]:
            standard = _standardised(values)
            return Discriminant(standard.fit, labels, priors_of(labels, class_weights)), standard

        key = f"{class_weights} {values.key}"
        analysis, standard = self._analyses.get(key, begin)
        coef, intercept = analysis.solve(shrinkage)
        scores = np.full((len(standard.judge), classes), -np.inf)
        scores[:, present] = standard.judge @ coef.T + intercept
        return _softmax(scores)


def _standardised(values: Values) -> _Standardised:
    fitted, judging = values.read()
    mean, scale, standard = standardise(fitted)
    return _Standardised(standard, (judging - mean) / scale)


def _span(standard: _Standardised) -> _Standardised:
    """The same clips in the span of those that fit, if that has fewer dimensions."""
    if len(standard.fit) >= standard.fit.shape[1]:
        return standard
    eigenvalues, vectors = np.linalg.eigh(standard.fit @ standard.fit.T)
    kept = eigenvalues > _NEGLIGIBLE * eigenvalues.max(initial=0)
    lengths, axes = np.sqrt(eigenvalues[kept]), vectors[:, kept]
    return _Standardised(axes * lengths, (standard.judge @ standard.fit.T) @ (axes / lengths))


def _softmax(scores: Floats) -> Floats:
    found: Floats = softmax(scores, axis=1)
    return found
