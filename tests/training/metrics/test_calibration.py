from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss

from training.metrics.calibration import BINS, calibration_of


def drawn(clips: int, classes: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(classes, 0.4), clips)
    return generator.integers(0, classes, clips), probabilities


def ece_by_a_loop(true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    total = 0.0
    for k in range(BINS):
        inside = [
            (row.max(), int(row.argmax()) == t)
            for t, row in zip(true, probabilities, strict=True)
            if k / BINS < row.max() <= (k + 1) / BINS
        ]
        if inside:
            confidence = sum(c for c, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(true) * abs(accuracy - confidence)
    return total


@settings(max_examples=60)
@given(clips=st.integers(1, 80), classes=st.integers(2, 9), seed=st.integers(0, 9999))
def test_calibration_error_is_that_of_a_loop_over_bins(clips: int, classes: int, seed: int) -> None:
    true, probabilities = drawn(clips, classes, seed)
    found = calibration_of(true, probabilities)
    assert found.ece == pytest.approx(ece_by_a_loop(true, probabilities))
    assert sum(b.clips for b in found.bins) == clips
    assert all(b.lower < b.confidence <= b.upper for b in found.bins)


def test_calibration_error_of_a_case_worked_by_hand() -> None:
    # Three clips at 0.9, of which one is right; one at 0.6, right: ECE (3 · |1/3 - 0.9| + |1 - 0.6|) / 4.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6]])
    found = calibration_of(np.array([0, 1, 0, 1]), probabilities)
    assert found.ece == pytest.approx((3 * (0.9 - 1 / 3) + 0.4) / 4)
    assert found.confidence == pytest.approx((3 * 0.9 + 0.6) / 4)
    assert [(b.clips, pytest.approx(b.accuracy)) for b in found.bins] == [(1, 1.0), (3, 1 / 3)]


@given(clips=st.integers(2, 60), seed=st.integers(0, 999))
def test_brier_score_is_that_of_scikit_learn(clips: int, seed: int) -> None:
    true, probabilities = drawn(clips, 4, seed)
    expected = brier_score_loss(true, probabilities, labels=range(4), scale_by_half=False)
    assert calibration_of(true, probabilities).brier == pytest.approx(expected)


def test_labels_drawn_from_the_probabilities_are_calibrated() -> None:
    _, probabilities = drawn(40_000, 5, 0)
    generator = np.random.default_rng(1)
    true = np.array([generator.choice(5, p=row) for row in probabilities])
    assert calibration_of(true, probabilities).ece < 0.01


def test_certainty_is_in_the_last_bin_also_where_sums_round_above_one() -> None:
    found = calibration_of(np.array([0, 1]), np.array([[1.0, 0.0], [1.0 + 1e-7, 0.0]]))
    (last,) = found.bins
    assert (last.clips, last.accuracy, last.upper) == (2, 0.5, 1.0)
