"""Temperature scaling: one number that makes probabilities neither too sure nor too unsure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

SMALLEST, LARGEST = 1e-2, 1e3
"""Range of temperatures."""


def fit_temperature(scores: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """The temperature T that minimises the negative log-likelihood of ``targets`` under softmax(scores / T).

    ``scores`` (n, classes), −∞ for classes that were not trained; clips of such classes are ignored. Guo et
    al. 2017, On Calibration of Modern Neural Networks. 1 without clips.
    """
    known = np.isfinite(scores[np.arange(len(targets)), targets])
    rows, labels = scores[known], targets[known]
    if not len(labels):
        return 1.0

    def loss(log_temperature: float) -> float:
        logs = log_softmax(rows / np.exp(log_temperature), axis=1)
        return -float(logs[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=(np.log(SMALLEST), np.log(LARGEST)), method="bounded")
    return float(np.exp(found.x))
