"""Outputs of a network as results: probabilities of classes, or values of dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.runs.run import RunRecord


def results_of(record: RunRecord, outputs: Tensor) -> NDArray[np.float64]:
    """Results of ``outputs`` (n, outputs) of a run's network.

    Probabilities (n, classes) by softmax; or values (n, dimensions) in the manifest's units, from outputs
    that are standardised by the training speakers.
    """
    if not record.dimensions:
        probabilities: NDArray[np.float64] = outputs.double().softmax(dim=1).cpu().numpy()
        return probabilities
    standard: NDArray[np.float64] = outputs.double().cpu().numpy()
    mean = np.array([scale.mean for scale in record.dimensions])
    deviation = np.array([scale.deviation for scale in record.dimensions])
    values: NDArray[np.float64] = standard * deviation + mean
    return values
