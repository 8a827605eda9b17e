"""Importance and its interval, against sklearn and a plain bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from schemas.errors import RunError
from training.metrics.bootstrap import drop_interval
from training.metrics.importance import PermutationCounts

CLASSES, REPEATS = 3, 2
GENERATOR = np.random.default_rng(3)
TRUE = GENERATOR.integers(0, CLASSES, 240)
SPEAKERS = [f"demo/s{number}" for number in GENERATOR.integers(0, 6, 240)]
UNCHANGED = np.where(GENERATOR.uniform(size=240) < 0.8, TRUE, 0)
PERMUTED = {
    "mel": [np.where(GENERATOR.uniform(size=240) < 0.5, UNCHANGED, 1) for _ in range(REPEATS)],
    "rms": [UNCHANGED] * REPEATS,
}


def counts(rows: slice = slice(None)) -> PermutationCounts:
    permuted = {name: [each[rows] for each in repeats] for name, repeats in PERMUTED.items()}
    return PermutationCounts.of(SPEAKERS[rows], TRUE[rows], UNCHANGED[rows], permuted, CLASSES)


def test_importance_is_the_loss_of_ua() -> None:
    found = counts().importance()
    ua = balanced_accuracy_score(TRUE, UNCHANGED)
    assert found.ua == pytest.approx(ua)
    mel, rms = found.parts
    expected = [ua - balanced_accuracy_score(TRUE, each) for each in PERMUTED["mel"]]
    assert mel.drops == pytest.approx(expected)
    assert mel.drop == pytest.approx(np.mean(expected))
    assert (rms.drop, rms.drops) == (0, (0, 0))
    assert rms.interval is not None
    assert (rms.interval.low, rms.interval.high) == (0, 0)
    assert [part.name for part in found.ranked] == ["mel", "rms"]
    assert (found.clips, found.speakers, found.repeats) == (240, 6, REPEATS)


def test_the_interval_is_that_of_a_plain_bootstrap_over_speakers() -> None:
    found = counts().importance().parts[0].interval
    names = sorted({*SPEAKERS})
    rows = [np.flatnonzero(np.array(SPEAKERS) == name) for name in names]
    generator = np.random.default_rng(0)

    def recalls(predicted: np.ndarray, drawn: np.ndarray) -> float:
        right = np.bincount(TRUE[drawn][predicted[drawn] == TRUE[drawn]], minlength=CLASSES)
        return float((right / np.bincount(TRUE[drawn], minlength=CLASSES)).mean())

    drops = []
    for _ in range(4000):
        drawn = np.concatenate([rows[i] for i in generator.integers(0, 6, 6)])
        after = [recalls(each, drawn) for each in PERMUTED["mel"]]
        drops.append(recalls(UNCHANGED, drawn) - np.mean(after))
    # Expanded percentiles of 6 speakers, Hesterberg 2015: those of a t of 5 degrees of freedom.
    assert found is not None
    assert (found.low, found.high) == pytest.approx(np.quantile(drops, (0.0024, 0.9976)), abs=0.02)


def test_two_speakers_have_no_interval() -> None:
    matrices = np.ones((2, CLASSES, CLASSES), np.int64)
    assert drop_interval(matrices, matrices[None]) is None


def test_folds_are_pooled_as_one_test_also_if_they_share_speakers() -> None:
    pooled = PermutationCounts.pool([counts(slice(0, 100)), counts(slice(100, 240))])
    assert pooled.importance() == counts().importance()


def test_folds_of_different_models_are_not_pooled() -> None:
    other = PermutationCounts.of(SPEAKERS, TRUE, UNCHANGED, {"mfcc": PERMUTED["mel"]}, CLASSES)
    with pytest.raises(RunError, match="the folds differ in the features or layers that they read"):
        PermutationCounts.pool([counts(), other])
