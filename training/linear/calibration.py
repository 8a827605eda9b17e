"""Temperature scaling: one number that makes probabilities neither too sure nor too unsure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

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


def _known(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The clips whose class was trained, (n,)."""
    known: NDArray[np.bool_] = np.isfinite(scores[np.arange(len(targets)), targets])
    return known
