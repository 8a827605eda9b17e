"""Calibration: whether a model that predicts 70 % is right in 70 % of such cases. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15

SMALLEST = float(np.finfo(np.float32).tiny)
"""Smaller probabilities of the true class count as this one, which limits a clip's loss to 87 nats."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Clips whose highest probability lies in (``lower``, ``upper``]."""

    lower: float
    upper: float
    clips: int
    confidence: float
    """Their mean highest probability."""
    accuracy: float
    """Share of them that was recognised correctly."""


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599, eq. 3) with its parts.

    ``ece`` is the mean of |accuracy - confidence| over the bins, weighted by clips, 0…1. ``brier`` is the
    mean over clips of the squared distance between probabilities and truth (Brier 1950), 0…2.
    """

    ece: float
    brier: float
    confidence: float
    """Mean highest probability of all clips. Above the accuracy, the model is over-confident."""
    bins: tuple[ReliabilityBin, ...]
    """Bins with clips among :data:`BINS` of equal width, ascending."""


def calibration_of(true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Calibration:
    """Calibration of ``probabilities`` (clips, classes), rows that sum to 1, for class indices (clips,)."""
    clips = np.arange(len(true))
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities[clips, predicted]
    right = predicted == true
    edges = np.linspace(0, 1, BINS + 1)
    bin_of = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    bins = tuple(
        ReliabilityBin(
            lower=float(edges[i]),
            upper=float(edges[i + 1]),
            clips=int((bin_of == i).sum()),
            confidence=float(confidence[bin_of == i].mean()),
            accuracy=float(right[bin_of == i].mean()),
        )
        for i in np.unique(bin_of)
    )
    truth = np.zeros(probabilities.shape)
    truth[clips, true] = 1
    return Calibration(
        ece=sum(b.clips * abs(b.accuracy - b.confidence) for b in bins) / len(true),
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        confidence=float(confidence.mean()),
        bins=bins,
    )


def log_loss(true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean cross-entropy, nats, of ``probabilities`` (clips, classes) for class indices (clips,)."""
    chosen = probabilities[np.arange(len(true)), true]
    return float(-np.log(np.maximum(chosen, SMALLEST)).mean())
