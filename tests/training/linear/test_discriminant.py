from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from training.linear.discriminant import Discriminant


def _table(clips: int, width: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, clips - classes)])
    values = rng.normal(size=(clips, width)) + rng.normal(size=(classes, width))[targets]
    return (values - values.mean(0)) / values.std(0), targets


def _by_formula(
    values: np.ndarray, targets: np.ndarray, priors: np.ndarray, shrinkage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Σ⁻¹ μ and its intercepts, with the covariance written out."""
    labels = np.unique(targets)
    means = np.stack([values[targets == label].mean(0) for label in labels])
    within = sum(
        prior * np.cov(values[targets == label], rowvar=False, bias=True)
        for prior, label in zip(priors, labels, strict=True)
    )
    shrunk = (1 - shrinkage) * within + shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    coef = np.linalg.solve(shrunk, means.T).T
    return coef, np.log(priors) - 0.5 * np.einsum("cd,cd->c", means, coef)


@given(
    width=st.integers(3, 90),
    classes=st.integers(2, 6),
    shrinkage=st.sampled_from([0.01, 0.3, 0.9, 1.0]),
    even=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=60)
def test_it_equals_the_formula(width: int, classes: int, shrinkage: float, even: bool, seed: int) -> None:
    """With more clips than values, and with fewer: the dual form."""
    values, targets = _table(40, width, classes, seed)
    counts = np.bincount(targets) / len(targets)
    priors = np.full(classes, 1 / classes) if even else counts
    coef, intercept = Discriminant(values, targets, priors).solve(shrinkage)
    expected, offsets = _by_formula(values, targets, priors, shrinkage)
    assert np.allclose(coef, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    assert np.allclose(intercept, offsets, rtol=1e-6, atol=1e-6 * np.abs(offsets).max())


@pytest.mark.parametrize(("width", "shrinkage"), [(10, 0.0), (10, 0.4), (100, 0.4)])
def test_predictions_are_those_of_scikit_learn(width: int, shrinkage: float) -> None:
    values, targets = _table(60, width, 4, seed=5)
    coef, intercept = Discriminant(values, targets, np.bincount(targets) / 60).solve(shrinkage)
    plain = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage or None).fit(values, targets)
    assert np.array_equal((values @ coef.T + intercept).argmax(1), plain.predict(values))


def test_without_shrinkage_more_values_than_clips_are_still_finite() -> None:
    values, targets = _table(30, 80, 3, seed=1)
    coef, intercept = Discriminant(values, targets, np.full(3, 1 / 3)).solve(0.0)
    assert np.isfinite(coef).all()
    assert np.isfinite(intercept).all()
