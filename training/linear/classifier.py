"""A linear classifier on standardised vectors: a support vector machine, or a discriminant or logistic model.

::

    values (n, D) ──▶ (x − mean) / scale ──▶ scores (n, classes) / temperature ──▶ softmax ──▶ (n, classes)

``svm`` (Cortes & Vapnik 1995; Fan et al. 2008): one class against the rest, by liblinear's dual solver, which
is much faster than the primal one if there are about as many values as samples. The softmax of the margins
ranks classes as the margins do, but is not calibrated: calibration by cross-validation within the training
clips, as scikit-learn offers it, would have copies and speakers on both sides.

``lda`` (Fisher 1936; Friedman 1989): normal densities with one covariance, shrunk towards a multiple of the
identity. The softmax of its scores is the posterior.

``logistic``: multinomial logistic regression with an L2 penalty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.special import softmax

from featurestore.places.durable import write_durably
from schemas.architecture import LinearSpec
from schemas.errors import RunError
from schemas.training import ClassWeights
from training.linear.discriminant import Discriminant, priors_of
from training.vectors.rounding import ROUNDING, SMALLEST_DEVIATION

if TYPE_CHECKING:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

Floats = NDArray[np.float64]

SHRINKAGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Shares that ``auto`` chooses from."""


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """Fitted classifier, float64: ``mean``, ``scale`` (D,), ``coef`` (classes, D), ``intercept`` (classes,).

    A class without training samples has an intercept of −∞, so its probability is 0. Scores are divided by
    ``temperature``. Of a ridge regression (:mod:`training.linear.ridge`), classes are dimensions and scores
    are their values.
    """

    mean: Floats
    scale: Floats
    coef: Floats
    intercept: Floats
    temperature: float = 1.0

    @property
    def parameters(self) -> int:
        """Number of learnt values."""
        return self.coef.size + self.intercept.size

    def predict(self, values: NDArray[np.floating]) -> Floats:
        """Probabilities (n, classes) float64 of ``values`` (n, D), with the columns of training."""
        return self.probabilities(self.scores(values))

    def probabilities(self, scores: Floats) -> Floats:
        """Probabilities (n, classes) of scores (n, classes)."""
        found: Floats = softmax(scores / self.temperature, axis=1)
        return found

    def without_temperature(self) -> Self:
        """The same classifier with a temperature of 1."""
        return replace(self, temperature=1.0)

    def scores(self, values: NDArray[np.floating]) -> Floats:
        """Decision function (n, classes), before the temperature."""
        scores: Floats = ((values - self.mean) / self.scale) @ self.coef.T + self.intercept
        return scores

    def save(self, path: Path) -> None:
        """Write as safetensors: ``mean``, ``scale``, ``coef``, ``intercept``; ``temperature`` if not 1."""
        tensors = {"mean": self.mean, "scale": self.scale, "coef": self.coef, "intercept": self.intercept}
        if self.temperature != 1.0:
            tensors["temperature"] = np.array([self.temperature])
        write_durably(path, save({name: np.ascontiguousarray(value) for name, value in tensors.items()}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote. Raises :class:`RunError` for anything else."""
        try:
            tensors = load_file(path)
            temperature = float(tensors["temperature"][0]) if "temperature" in tensors else 1.0
            found = cls(tensors["mean"], tensors["scale"], tensors["coef"], tensors["intercept"], temperature)
        except (OSError, KeyError, IndexError, SafetensorError) as error:
            raise RunError(f"cannot read {path} ({error}); start a new run") from error
        width, classes = found.mean.shape, found.intercept.shape
        if (
            len(width) != 1
            or len(classes) != 1
            or found.scale.shape != width
            or found.coef.shape != classes + width
            or not found.temperature > 0
        ):
            raise RunError(
                f"{path} is not a linear classifier: its shapes do not fit together; start a new run"
            )
        return found


def fit_classifier(
    spec: LinearSpec,
    values: NDArray[np.floating],
    targets: NDArray[np.int64],
    classes: int,
    class_weights: ClassWeights = "none",
) -> LinearClassifier:
    """Fit on ``values`` (n, D) with classes ``targets`` (n,); deterministic.

    ``class_weights`` is as in a recipe: ``balanced`` weights a clip by n / (classes · n of its class); for
    ``lda`` it gives all classes equal priors. A ``spec`` with choices is for
    :func:`training.linear.choice.fit_by_units`.

    Raises :class:`RunError` if all samples are of one class.
    """
    (fitted,) = fit_all(spec, values, targets, classes, class_weights)
    return fitted


def fit_all(
    spec: LinearSpec,
    values: NDArray[np.floating],
    targets: NDArray[np.int64],
    classes: int,
    class_weights: ClassWeights = "none",
) -> list[LinearClassifier]:
    """As :func:`fit_classifier`, for each of :data:`SHRINKAGES` if the shrinkage is ``auto``."""
    present = np.unique(targets)
    if len(present) < 2:
        raise RunError(
            f"all {len(targets)} training samples are of class {', '.join(map(str, present))}, but a "
            "classifier needs two classes; choose another label set, or a store with more emotions"
        )
    mean, scale, standard = standardise(values)
    fitted = fit_standardised(spec, standard, targets, classes, class_weights)
    return [LinearClassifier(mean, scale, *parts) for parts in fitted]


def fit_standardised(
    spec: LinearSpec,
    standard: Floats,
    targets: NDArray[np.int64],
    classes: int,
    class_weights: ClassWeights = "none",
) -> list[tuple[Floats, Floats]]:
    """Coefficients (classes, D) and intercepts (classes,) for :func:`fit_all`, on standardised values."""
    if spec.classifier == "lda" and not spec.statistics:
        return _analyse(spec, standard, targets, classes, class_weights)
    return [_by_scikit_learn(spec, standard, targets, classes, class_weights)]


_Fitted = tuple[Floats, Floats]
"""Coefficients and intercepts of a :class:`LinearClassifier`."""


def _analyse(
    spec: LinearSpec,
    values: Floats,
    targets: NDArray[np.int64],
    classes: int,
    class_weights: ClassWeights,
) -> list[_Fitted]:
    """Discriminant analysis, for each shrinkage to choose from."""
    present, labels = np.unique(targets, return_inverse=True)
    analysis = Discriminant(values, labels, priors_of(labels, class_weights))
    out: list[_Fitted] = []
    for shrinkage in SHRINKAGES if spec.shrinkage == "auto" else (spec.shrinkage,):
        found, offsets = analysis.solve(shrinkage)
        coef, intercept = np.zeros((classes, values.shape[1])), np.full(classes, -np.inf)
        coef[present], intercept[present] = found, offsets
        out.append((coef, intercept))
    return out


def _by_scikit_learn(
    spec: LinearSpec,
    values: Floats,
    targets: NDArray[np.int64],
    classes: int,
    class_weights: ClassWeights,
) -> _Fitted:
    present = np.unique(targets)
    fitted = _estimator(spec, len(present), class_weights).fit(values, targets)
    # For two classes, scikit-learn keeps only the score of the second.
    both = len(present) == 2
    halves = (-1.0, 1.0) if spec.classifier == "svm" else (-0.5, 0.5)
    coef = np.zeros((classes, values.shape[1]))
    intercept = np.full(classes, -np.inf)
    coef[present] = np.concatenate([half * fitted.coef_ for half in halves]) if both else fitted.coef_
    intercept[present] = (
        np.concatenate([half * fitted.intercept_ for half in halves]) if both else fitted.intercept_
    )
    return coef, intercept


def standardise(values: NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Mean and population deviation of each column, (D,) float64, and the standardised values (n, D).

    A constant column has deviation 1.
    """
    exact = values.astype(np.float64)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0)
    scale = np.where(deviation < SMALLEST_DEVIATION + ROUNDING * np.abs(mean), 1.0, deviation)
    return mean, scale, (values - mean) / scale


def _estimator(
    spec: LinearSpec, present: int, class_weights: ClassWeights
) -> LinearSVC | LinearDiscriminantAnalysis | LogisticRegression:
    """Scikit-learn's estimator for ``spec`` and the number of ``present`` classes."""
    # Takes a second; only fitting needs it.
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    weights = None if class_weights == "none" else class_weights
    if spec.classifier == "svm":
        return LinearSVC(C=spec.c, dual=True, random_state=0, max_iter=10_000, class_weight=weights)
    if spec.classifier == "logistic":
        return LogisticRegression(C=spec.c, max_iter=10_000, class_weight=weights)
    priors = np.full(present, 1 / present) if class_weights == "balanced" else None
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=spec.shrinkage, priors=priors)
