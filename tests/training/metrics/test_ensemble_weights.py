"""Weights of an ensemble, against scipy's optimiser on the simplex and cases with an obvious answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from schemas.errors import RunError
from training.metrics.ensemble_weights import maximise_likelihood, weigh_by_validation
from training.metrics.predictions import Predictions

CLASSES = ("angry", "happy", "sad")


def best_by_scipy(likelihoods: np.ndarray) -> np.ndarray:
    models = len(likelihoods)
    found = minimize(
        lambda w: -np.log(w @ likelihoods).mean(),
        np.full(models, 1 / models),
        method="SLSQP",
        bounds=[(0, 1)] * models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return np.asarray(found.x)


@given(st.integers(2, 5), st.integers(20, 300), st.integers(0, 2**32 - 1))
def test_no_weights_on_the_simplex_are_more_likely(models: int, clips: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    skill = generator.uniform(0.3, 4, models)[:, None]
    likelihoods = generator.beta(skill, 1.0, (models, clips)).clip(1e-6)
    weights = maximise_likelihood(likelihoods)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    ours, theirs = (np.log(w @ likelihoods).mean() for w in (weights, best_by_scipy(likelihoods)))
    assert ours >= theirs - 1e-6


def test_the_weights_are_those_of_scipy_where_the_maximum_is_sharp() -> None:
    generator = np.random.default_rng(3)
    expert = generator.integers(0, 3, 600)
    likelihoods = np.where(np.arange(3)[:, None] == expert, 0.9, 0.05)
    np.testing.assert_allclose(maximise_likelihood(likelihoods), best_by_scipy(likelihoods), atol=1e-4)


def test_a_model_that_is_never_better_gets_nothing_and_equal_models_share() -> None:
    generator = np.random.default_rng(0)
    good = generator.uniform(0.5, 1, 200)
    alone = maximise_likelihood(np.stack([good, good / 3]))
    np.testing.assert_allclose(alone, [1, 0], atol=1e-6)
    shared = maximise_likelihood(np.stack([good, good, good / 3]))
    np.testing.assert_allclose(shared, [0.5, 0.5, 0], atol=1e-6)
    # Two models that are right about half of the clips each, with the same certainty.
    halves = np.where(np.arange(100) % 2, 0.9, 0.1)
    np.testing.assert_allclose(maximise_likelihood(np.stack([halves, 1 - halves])), [0.5, 0.5])


def test_a_clip_that_no_model_thinks_possible_breaks_nothing() -> None:
    likelihoods = np.array([[0.0, 0.9, 0.8], [0.0, 0.1, 0.2]])
    np.testing.assert_allclose(maximise_likelihood(likelihoods), [1, 0], atol=1e-6)


def predictions(clips: list[int], skill: float, seed: int = 0) -> Predictions:
    generator = np.random.default_rng(seed)
    true = np.array([clip % 3 for clip in clips], dtype=np.int64)
    scores = generator.normal(size=(len(clips), 3)) + skill * np.eye(3)[true]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    frame = pd.DataFrame({"clip_id": [f"a/{clip}" for clip in clips], "dataset": "a", "speaker": "a/1"})
    frame["gender"] = "female"
    return Predictions.of(CLASSES, frame, np.zeros(len(clips), dtype=np.int64), true, probabilities)


def save(folder: Path, found: Predictions) -> Path:
    folder.mkdir()
    (folder / "validation.csv").write_text(found.to_csv())
    return folder


def test_only_clips_that_all_runs_validate_on_count(tmp_path: Path) -> None:
    one, two = predictions([*range(100)], 1.0), predictions([*range(150)][::-1], 1.5, 1)
    runs = [save(tmp_path / "one", one), save(tmp_path / "two", two)]
    found = weigh_by_validation(runs)
    assert (found.clips, found.same_clips) == (100, False)
    by_clip = [
        dict(zip(each.clip_id, each.probabilities[np.arange(len(each)), each.true], strict=True))
        for each in (one, two)
    ]
    likelihoods = np.array([[of[clip] for clip in one.clip_id] for of in by_clip], dtype=np.float64)
    np.testing.assert_allclose(found.shares, best_by_scipy(likelihoods), atol=1e-3)
    same = weigh_by_validation([runs[0], save(tmp_path / "three", predictions([*range(100)][::-1], 1.5))])
    assert (same.clips, same.same_clips) == (100, True)


def test_runs_that_cannot_be_weighted_are_a_sentence(tmp_path: Path) -> None:
    first = save(tmp_path / "first", predictions([0, 1, 2], 1.0))
    older = tmp_path / "older"
    older.mkdir()
    with pytest.raises(RunError, match="older holds no predictions for its validation clips, because an old"):
        weigh_by_validation([first, older])
    apart = save(tmp_path / "apart", predictions([3, 4], 1.0))
    with pytest.raises(RunError, match=r"have no validation clip in common, .* train them with the same"):
        weigh_by_validation([first, apart])
    relabelled = predictions([0, 1, 2], 1.0)
    relabelled = replace(relabelled, true=(relabelled.true + 1) % 3)
    other = save(tmp_path / "other", relabelled)
    with pytest.raises(RunError, match="different labels for their validation clips"):
        weigh_by_validation([first, other])
