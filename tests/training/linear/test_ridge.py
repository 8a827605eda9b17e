"""Ridge regression against scikit-learn's, and its choice of the penalty by held-out speakers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from schemas.architecture import LinearSpec
from schemas.errors import RunError
from tests.training.metrics.test_concordance import ccc_by_formula
from training.linear.classifier import SHRINKAGES, LinearClassifier
from training.linear.ridge import fit_ridge, fit_ridge_by_units

SPEC = LinearSpec(name="r", classifier="ridge", statistics=("mean",), shrinkage="auto")


def draw(clips: int, width: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Values and two targets that are linear in the first of them."""
    generator = np.random.default_rng(clips)
    values = generator.normal(size=(clips, width)) * generator.uniform(0.5, 3, width) + 10
    targets = values[:, :3] @ generator.normal(size=(3, 2)) + generator.normal(0, noise, (clips, 2))
    return values, targets


@pytest.mark.parametrize(("clips", "width"), [(60, 8), (20, 50)])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_it_is_scikit_learns_ridge_with_the_penalty_of_the_share(
    clips: int, width: int, share: float
) -> None:
    values, targets = draw(clips, width)
    (found,) = fit_ridge(values, targets, [share])
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    alpha = clips * share / (1 - share)  # the mean variance of standardised values is 1
    expected = Ridge(alpha=alpha).fit(standard, targets)
    np.testing.assert_allclose(found.coef, expected.coef_, atol=1e-9)
    np.testing.assert_allclose(found.scores(values), expected.predict(standard), atol=1e-9)


def test_without_shrinkage_it_is_least_squares_and_with_all_of_it_the_mean() -> None:
    values, targets = draw(60, 8)
    least, mean = fit_ridge(values, targets, [0.0, 1.0])
    np.testing.assert_allclose(least.scores(values), LinearRegression().fit(values, targets).predict(values))
    np.testing.assert_allclose(mean.scores(values), np.tile(targets.mean(axis=0), (60, 1)))


def test_a_regression_is_read_as_it_was_written(tmp_path: Path) -> None:
    values, targets = draw(30, 5)
    (found,) = fit_ridge(values, targets, [0.2])
    found.save(tmp_path / "linear.safetensors")
    again = LinearClassifier.load(tmp_path / "linear.safetensors")
    np.testing.assert_array_equal(again.scores(values), found.scores(values))


def by_scikit_learn(values: np.ndarray, targets: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
    """Values of ``new`` by a ridge regression of ``values`` with the penalty of a share below 1."""
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    fitted = Ridge(alpha=len(values) * share / (1 - share)).fit((values - mean) / deviation, targets)
    return np.asarray(fitted.predict((new - mean) / deviation))


def test_speakers_that_are_held_out_choose_the_share() -> None:
    generator = np.random.default_rng(3)
    speaker = np.arange(60) % 10
    values, targets = draw(60, 100, noise=3.0)
    values += generator.normal(0, 5, (10, 100))[speaker]
    decide = np.arange(60) < 50
    chosen = fit_ridge_by_units(SPEC, values, targets, [f"s{i}" for i in speaker], decide)
    held_out = []
    for share in SHRINKAGES:
        found = np.zeros_like(targets)
        for group in range(5):
            held = speaker % 5 == group
            found[held] = by_scikit_learn(values[~held], targets[~held], values[held], share)
        held_out.append(found)
    merits = [
        np.mean([ccc_by_formula(x, y) for x, y in zip(targets[decide].T, found[decide].T, strict=True)])
        for found in held_out
    ]
    best = int(np.argmax(merits))
    assert 0 < best < len(SHRINKAGES) - 1, "a choice at the end of the range shows little"
    np.testing.assert_allclose(chosen.held_out, held_out[best], atol=1e-8)
    expected = by_scikit_learn(values, targets, values, SHRINKAGES[best])
    np.testing.assert_allclose(chosen.regression.scores(values), expected, atol=1e-8)


def test_a_single_speaker_cannot_choose() -> None:
    values, targets = draw(10, 4)
    with pytest.raises(RunError, match="chosen by held-out speakers"):
        fit_ridge_by_units(SPEC, values, targets, ["a"] * 10, np.ones(10, dtype=bool))
