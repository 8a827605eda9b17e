"""Choices by held-out speakers, and the temperature."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax
from sklearn.model_selection import GroupKFold, cross_val_predict

from schemas.architecture import LinearSpec
from schemas.errors import RunError
from schemas.named_models import MODELS
from training.linear.calibration import fit_temperature, likelihood, measure_temperature
from training.linear.choice import FOLDS, fit_by_units
from training.linear.classifier import SHRINKAGES, fit_classifier
from training.metrics.temperature import TemperatureEffect

LDA = MODELS["lda"]
SPEAKERS = [f"s{index % 10}" for index in range(200)]
ALL = np.ones(200, dtype=bool)


def _table(noise: float = 1.0, width: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 200)
    values = rng.normal(size=(4, width))[targets] + noise * rng.normal(size=(200, width))
    return values.astype(np.float32), targets


def test_the_temperature_is_where_the_derivative_of_the_likelihood_is_zero() -> None:
    """d/dβ Σ log softmax(β s)ₜ = Σ (sₜ − Σ p s) with β = 1 / T."""
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 5, 300)
    scores = 8 * rng.normal(size=(300, 5))
    scores[np.arange(300), targets] += 6

    def slope(beta: float) -> float:
        chosen = scores[np.arange(300), targets]
        return float((chosen - (softmax(beta * scores, axis=1) * scores).sum(1)).sum())

    assert fit_temperature(scores, targets) == pytest.approx(1 / brentq(slope, 1e-3, 10), rel=1e-3)


def test_classes_that_were_not_trained_do_not_count() -> None:
    scores = np.array([[1.0, 2.0, -np.inf], [3.0, 0.0, -np.inf], [0.5, 0.4, -np.inf]])
    targets = np.array([1, 0, 2])
    assert fit_temperature(scores, targets) == fit_temperature(scores[:2], targets[:2])
    assert likelihood(scores, targets, 2.0) == likelihood(scores[:2], targets[:2], 2.0)
    assert fit_temperature(scores[2:], targets[2:]) == 1.0


def test_held_out_predictions_are_by_a_model_without_the_speaker() -> None:
    values, targets = _table()
    spec = LinearSpec(name="x", classifier="logistic", c=0.1, calibration="temperature")
    found = fit_by_units(spec, values, targets, SPEAKERS, ALL, 4)
    alone = np.empty((200, 4))
    for group in range(FOLDS):
        held = np.array([int(name[1:]) % FOLDS == group for name in SPEAKERS])
        fitted = fit_classifier(spec, values[~held], targets[~held], 4)
        alone[held] = fitted.scores(values[held])
    expected = softmax(alone / found.classifier.temperature, axis=1)
    assert np.allclose(found.held_out, expected)
    # The same groups by scikit-learn's cross-validation, which fits in its own way.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    groups = [int(name[1:]) % FOLDS for name in SPEAKERS]
    plain = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=10_000)),
        values.astype(float),
        targets,
        groups=groups,
        cv=GroupKFold(FOLDS),
    )
    assert np.mean(found.held_out.argmax(1) == plain) > 0.99


def test_the_shrinkage_is_the_one_that_makes_held_out_speakers_most_likely() -> None:
    values, targets = _table(noise=3.0, width=300)
    found = fit_by_units(LDA, values, targets, SPEAKERS, ALL, 4)
    losses = []
    for shrinkage in SHRINKAGES:
        spec = LDA.model_copy(update={"shrinkage": shrinkage})
        one = fit_by_units(spec, values, targets, SPEAKERS, ALL, 4)
        losses.append(-np.log(one.held_out[np.arange(200), targets]).mean())
    best = LDA.model_copy(update={"shrinkage": SHRINKAGES[int(np.argmin(losses))]})
    assert np.array_equal(found.classifier.coef, fit_classifier(best, values, targets, 4).coef)
    assert losses[0] > min(losses)


def test_copies_train_but_do_not_decide() -> None:
    values, targets = _table()
    decide = np.arange(200) < 100
    spec = LinearSpec(name="x", classifier="svm", calibration="temperature")
    found = fit_by_units(spec, values, targets, SPEAKERS, decide, 4)
    scores = np.log(found.held_out) * found.classifier.temperature
    assert found.classifier.temperature == pytest.approx(
        fit_temperature(scores[decide], targets[decide]), rel=1e-3
    )


def test_the_effect_of_the_temperature_is_measured_without_and_with_it() -> None:
    """ECE by its definition over 15 bins (lower, upper], log loss by scipy's log_softmax."""
    values, targets = _table(noise=3.0, width=300)
    spec = LDA.model_copy(update={"shrinkage": 0.01})
    found = fit_by_units(spec, values, targets, SPEAKERS, ALL, 4)
    tested, true = found.classifier.scores(values[:50]), targets[:50]
    effect = measure_temperature(found.classifier, found.scores, targets, tested, true)
    assert effect is not None
    assert (effect.temperature, effect.clips) == (found.classifier.temperature, 200)
    temperature = found.classifier.temperature
    for each, scores, classes in ((effect.held_out, found.scores, targets), (effect.test, tested, true)):
        for measured, t in ((each.before, 1.0), (each.after, temperature)):
            p = softmax(scores / t, axis=1)
            confidence, right = p.max(axis=1), p.argmax(axis=1) == classes
            bins = np.ceil(confidence * 15).astype(int)
            gaps = [
                (bins == i).mean() * abs(confidence[bins == i].mean() - right[bins == i].mean())
                for i in np.unique(bins)
            ]
            assert measured.ece == pytest.approx(sum(gaps), abs=1e-6)
            chosen = log_softmax(scores / t, axis=1)[np.arange(len(classes)), classes]
            losses = np.minimum(-chosen, -np.log(np.finfo(np.float32).tiny))
            assert measured.log_loss == pytest.approx(losses.mean(), rel=1e-5)
    assert effect.held_out.after.log_loss < effect.held_out.before.log_loss
    assert TemperatureEffect.from_json(json.loads(json.dumps(effect.to_json())), "x") == effect
    with pytest.raises(RunError, match=r"metrics\.json: temperature: .*; start a new run"):
        TemperatureEffect.from_json({"temperature": 1.0}, "metrics.json")


def test_clips_of_classes_that_were_not_trained_say_nothing_about_the_temperature() -> None:
    values, targets = _table()
    found = fit_by_units(LDA, values[targets < 3], targets[targets < 3], SPEAKERS[: (targets < 3).sum()],
                            ALL[targets < 3], 4)  # fmt: skip
    scores = found.classifier.scores(values)
    every = measure_temperature(found.classifier, scores, targets, scores, targets)
    known = measure_temperature(found.classifier, scores[targets < 3], targets[targets < 3], scores, targets)
    assert every is not None
    assert every == known
    assert measure_temperature(found.classifier, scores[:1], np.array([3]), scores, targets) is None


def test_a_single_unit_cannot_decide() -> None:
    values, targets = _table()
    with pytest.raises(
        RunError, match="held-out speakers or sentences, but training and validation have one speaker"
    ):
        fit_by_units(LDA, values, targets, ["s0"] * 200, ALL, 4)
