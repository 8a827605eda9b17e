"""CCC and RMSE against their formulas, computed directly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.metrics.concordance import AgreementSums, mean_ccc

Floats = NDArray[np.float64]


def ccc_by_formula(x: Floats, y: Floats) -> float:
    """Lin 1989, equation 2 with population moments, of one dimension."""
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def test_a_hand_computed_example() -> None:
    # x = 1 2 3, y = 2 2 5: means 2 and 3, variances 2/3 and 2, covariance 1, so 2 / (2/3 + 2 + 1) = 6/11.
    sums = AgreementSums.of(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [2.0], [5.0]]))
    assert sums.ccc == pytest.approx(6 / 11)
    assert sums.rmse == pytest.approx(np.sqrt(5 / 3))


@given(seed=st.integers(0, 1000), clips=st.integers(2, 40), level=st.sampled_from([0.0, 3.0, 1e4]))
def test_sums_give_the_formula(seed: int, clips: int, level: float) -> None:
    draw = np.random.default_rng(seed)
    true = level + draw.normal(size=(clips, 3))
    predicted = level + 0.5 * (true - level) + draw.normal(0.3, 1.0, size=(clips, 3))
    found = AgreementSums.of(true, predicted)
    expected = [ccc_by_formula(x, y) for x, y in zip(true.T, predicted.T, strict=True)]
    np.testing.assert_allclose(found.ccc[0], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.rmse[0], np.sqrt(np.square(true - predicted).mean(axis=0)), rtol=1e-6)
    assert mean_ccc(true, predicted) == pytest.approx(np.mean(expected), abs=1e-9)


def test_groups_and_their_weighted_sums_are_those_of_their_clips() -> None:
    draw = np.random.default_rng(0)
    true, predicted = draw.normal(2, 1, (60, 2)), draw.normal(2, 1, (60, 2))
    group = draw.integers(0, 4, 60)
    sums = AgreementSums.of(true, predicted, group)
    for g in range(4):
        at = group == g
        alone = [ccc_by_formula(x, y) for x, y in zip(true[at].T, predicted[at].T, strict=True)]
        np.testing.assert_allclose(sums.ccc[g], alone)
    # Group 1 twice and group 3 once, as one resample of a bootstrap.
    rows = np.concatenate([np.flatnonzero(group == g) for g in (1, 1, 3)])
    resample = sums.weight(np.array([[0.0, 2.0, 0.0, 1.0]]))
    expected = [ccc_by_formula(x, y) for x, y in zip(true[rows].T, predicted[rows].T, strict=True)]
    np.testing.assert_allclose(resample.ccc[0], expected)


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ([3.0, 3.0, 3.0], [1.0, 2.0, 4.0], 0.0),  # a constant truth
        ([1.0, 2.0, 4.0], [2.0, 2.0, 2.0], 0.0),  # a constant prediction
        ([3.0, 3.0], [4.0, 4.0], 0.0),  # two constants
        ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1], 1.0),  # 0 / 0: the limit for predictions that equal the truth
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -1.0),
        ([5.0], [4.0], 0.0),
    ],
)
def test_cases_at_the_edge(true: list[float], predicted: list[float], expected: float) -> None:
    found = AgreementSums.of(np.array(true)[:, None], np.array(predicted)[:, None]).ccc
    assert found == pytest.approx(expected)
