"""Temperature scaling: one number that makes probabilities neither too sure nor too unsure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from training.linear.classifier import LinearClassifier
from training.metrics.temperature import BeforeAndAfter, HeldOutBy, Reliability, TemperatureEffect

SMALLEST, LARGEST = 1e-2, 1e3
"""Range of temperatures."""


def fit_temperature(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """The temperature T under which ``targets`` are most likely by softmax(scores / T); 1 without clips.

    ``scores`` (n, classes), −∞ for classes that were not trained; clips of such classes are ignored. Guo et
    al. 2017, On Calibration of Modern Neural Networks.
    """
    if not _known(scores, targets).any():
        return 1.0
    from scipy.optimize import minimize_scalar  # takes half a second; only fitting needs it

    found = minimize_scalar(
        lambda log: -likelihood(scores, targets, np.exp(log)),
        bounds=(np.log(SMALLEST), np.log(LARGEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def likelihood(scores: NDArray[np.float64], targets: NDArray[np.int64], temperature: float) -> float:
    """Mean log-likelihood of ``targets`` (n,) under softmax(scores / temperature), of the trained classes."""
    known = _known(scores, targets)
    if not known.any():
        return 0.0
    logs = log_softmax(scores[known] / temperature, axis=1)
    return float(logs[np.arange(len(logs)), targets[known]].mean())


def measure_temperature(
    classifier: LinearClassifier,
    held_out: NDArray[np.float64],
    targets: NDArray[np.int64],
    tested: NDArray[np.float64],
    true: NDArray[np.int64],
    by: HeldOutBy = "speaker",
) -> TemperatureEffect | None:
    """What the temperature of ``classifier`` does to scores (n, classes) of clips, without it and with it.

    ``held_out`` : of the clips that it was fitted on, of classes ``targets``; those of classes that were not
    trained are left out, as in fitting. ``tested`` : of the test clips, of classes ``true``. None if no clip
    is left.
    """
    known = _known(held_out, targets)
    if not known.any():
        return None

    def compare(scores: NDArray[np.float64], classes: NDArray[np.int64]) -> BeforeAndAfter:
        return BeforeAndAfter(
            Reliability.of(classes, classifier.without_temperature().probabilities(scores)),
            Reliability.of(classes, classifier.probabilities(scores)),
        )

    return TemperatureEffect(
        temperature=classifier.temperature,
        clips=int(known.sum()),
        held_out=compare(held_out[known], targets[known]),
        test=compare(tested, true),
        by=by,
    )


def _known(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The clips whose class was trained, (n,)."""
    known: NDArray[np.bool_] = np.isfinite(scores[np.arange(len(targets)), targets])
    return known
