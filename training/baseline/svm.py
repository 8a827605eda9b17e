"""A linear support vector machine on standardised functionals (Cortes & Vapnik 1995; Fan et al. 2008).

::

    values (n, D) ──▶ (x − mean) / scale ──▶ one-vs-rest margins (n, classes) ──▶ softmax ──▶ (n, classes)

liblinear's dual solver: with about as many values as samples it is done well before the primal one, and
before ``SVC(kernel="linear")``.

Probabilities are the softmax of the margins. They rank classes as the machine does, and are not calibrated:
calibration by cross-validation within the training clips, as scikit-learn offers it, would have copies and
speakers of one clip on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.special import softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featurestore.durable import write_durably
from schemas.architecture import FunctionalsSpec
from schemas.errors import RunError
from training.baseline.functionals import FunctionalTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Baseline:
    """A fitted machine, float64: ``mean``, ``scale`` (D,), ``coef`` (classes, D), ``intercept`` (classes,).

    A class that was not trained has an intercept of −∞, and so a probability of 0.
    """

    mean: Floats
    scale: Floats
    coef: Floats
    intercept: Floats

    def predict(self, values: NDArray[np.floating]) -> Floats:
        """Probabilities (n, classes) float64 of ``values`` (n, D), columns as they were in training."""
        probabilities: Floats = softmax(self.margins(values), axis=1)
        return probabilities

    def margins(self, values: NDArray[np.floating]) -> Floats:
        """Signed margins (n, classes) of each class against the rest, as ``decision_function`` gives them."""
        margins: Floats = ((values - self.mean) / self.scale) @ self.coef.T + self.intercept
        return margins

    def save(self, path: Path) -> None:
        """Write as safetensors (``mean``, ``scale``, ``coef``, ``intercept``)."""
        tensors = {"mean": self.mean, "scale": self.scale, "coef": self.coef, "intercept": self.intercept}
        write_durably(path, save({name: np.ascontiguousarray(value) for name, value in tensors.items()}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote. Raises :class:`RunError` for anything else."""
        try:
            tensors = load_file(path)
            found = cls(tensors["mean"], tensors["scale"], tensors["coef"], tensors["intercept"])
        except (OSError, KeyError, SafetensorError) as error:
            raise RunError(f"{path} cannot be read ({error}); start a new run") from error
        width, classes = found.mean.shape, found.intercept.shape
        if (
            len(width) != 1
            or len(classes) != 1
            or found.scale.shape != width
            or found.coef.shape != classes + width
        ):
            raise RunError(f"{path} holds no baseline: its shapes do not fit together; start a new run")
        return found


def load_baseline(path: Path) -> Baseline:
    """Baseline that :meth:`Baseline.save` wrote. Raises :class:`RunError` for anything else."""
    return Baseline.load(path)


def fit_baseline(
    spec: FunctionalsSpec,
    train: FunctionalTable,
    classes: int,
    class_weights: Literal["none", "balanced"] = "none",
) -> Baseline:
    """Fit the machine on ``train``; the same table gives the same machine.

    ``class_weights`` as in a recipe: ``balanced`` weighs a clip by n / (classes · n of its class).

    Raises :class:`RunError` where all of ``train`` is of one class.
    """
    present = np.unique(train.targets)
    if len(present) < 2:
        raise RunError(
            f"all {len(train)} training samples are of class {', '.join(map(str, present))}; a support "
            "vector machine needs two classes"
        )
    machine = LinearSVC(
        C=spec.c,
        dual=True,
        random_state=0,
        max_iter=10_000,
        class_weight=None if class_weights == "none" else class_weights,
    )
    pipeline = make_pipeline(StandardScaler(), machine).fit(train.values, train.targets)
    scaler = pipeline[0]
    # Of two classes scikit-learn keeps the margin of the second one alone.
    both = len(present) == 2
    coef = np.zeros((classes, train.values.shape[1]))
    intercept = np.full(classes, -np.inf)
    coef[present] = np.concatenate((-machine.coef_, machine.coef_)) if both else machine.coef_
    intercept[present] = (
        np.concatenate((-machine.intercept_, machine.intercept_)) if both else machine.intercept_
    )
    return Baseline(scaler.mean_, scaler.scale_, coef, intercept)
