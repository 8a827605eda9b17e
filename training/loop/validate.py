"""Metrics of the validation side after an epoch: of classes, or of dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from training.metrics.concordance import AgreementSums
from training.metrics.confusion import unweighted_average_recall
from training.runs.run import DimensionScale


@dataclass(frozen=True)
class ClassValidation:
    """Mean cross-entropy in nats, unweighted average recall and accuracy."""

    loss: float
    ua: float
    wa: float


@dataclass(frozen=True)
class DimensionValidation:
    """Means over the dimensions of 1 − CCC, of the CCC and of the RMSE."""

    loss: float
    ccc: float
    rmse: float


Validation = ClassValidation | DimensionValidation

Validate = Callable[[Tensor, Tensor], Validation]
"""From outputs (n, outputs) and targets of the validation side, on the CPU, to its metrics."""


def validate_classes(logits: Tensor, true: Tensor) -> ClassValidation:
    """Metrics of ``logits`` (n, classes) float32 for ``true`` classes (n,) int64."""
    predicted = logits.argmax(dim=1).numpy()
    return ClassValidation(
        loss=float(F.cross_entropy(logits, true)),
        ua=unweighted_average_recall(true.numpy(), predicted),
        wa=float((true.numpy() == predicted).mean()),
    )


@dataclass(frozen=True)
class DimensionValidator:
    """Metrics of standardised outputs of a regression."""

    scales: tuple[DimensionScale, ...]

    def __call__(self, outputs: Tensor, true: Tensor) -> DimensionValidation:
        """Metrics of ``outputs`` (n, dimensions) for ``true`` values in the manifest's units."""
        mean = np.array([scale.mean for scale in self.scales])
        deviation = np.array([scale.deviation for scale in self.scales])
        predicted = outputs.double().numpy() * deviation + mean
        sums = AgreementSums.of(true.double().numpy(), predicted)
        ccc = float(sums.ccc.mean())
        return DimensionValidation(loss=1 - ccc, ccc=ccc, rmse=float(sums.rmse.mean()))
