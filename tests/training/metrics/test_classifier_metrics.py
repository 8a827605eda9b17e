from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from schemas.errors import RunError
from schemas.labels import Target, label_set
from training.metrics.confusion import unweighted_average_recall
from training.metrics.evaluation import evaluate, score
from training.metrics.scores import Scores

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)
ABC = ("a", "b", "c")


def one_group(n: int) -> dict[str, list[str]]:
    return {"corpus": ["x"] * n, "gender": ["female"] * n, "speaker": ["x/1"] * n}


def certain(
    true: ArrayLike, predicted: ArrayLike, names: tuple[str, ...], groups: dict[str, list[str]]
) -> Scores:
    """Scores of a model that is certain of each class that it predicts."""
    return score(np.asarray(true), np.eye(len(names))[np.asarray(predicted, dtype=int)], names, groups)


def test_metrics_of_a_case_worked_by_hand() -> None:
    # a: 2 of 4 right; b: 1 of 1 right, and once predicted wrongly; c does not occur and is once predicted.
    found = certain([0, 0, 0, 0, 1], [0, 0, 1, 2, 1], ABC, one_group(5))
    assert found.ua == pytest.approx((2 / 4 + 1) / 2)
    assert found.wa == pytest.approx(3 / 5)
    a, b, c = found.per_class
    assert (a.precision, a.recall, a.support) == (1.0, 0.5, 4)
    assert (b.precision, b.recall, b.support) == (0.5, 1.0, 1)
    assert (c.precision, c.recall, c.f1, c.support) == (0.0, 0.0, 0.0, 0)
    assert a.f1 == pytest.approx(2 / 3)
    assert b.f1 == pytest.approx(2 / 3)
    assert found.macro_f1 == pytest.approx(2 / 3), "classes without clips do not count"
    assert found.confusion == ((2, 1, 1), (0, 1, 0), (0, 0, 0))


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@given(pairs=PAIRS)
def test_rates_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    found = certain(true, predicted, tuple("abcde"), one_group(len(pairs)))
    assert found.ua == pytest.approx(sk.balanced_accuracy_score(true, predicted))
    assert unweighted_average_recall(true, predicted) == pytest.approx(found.ua)
    assert found.wa == pytest.approx(sk.accuracy_score(true, predicted))
    assert found.macro_f1 == pytest.approx(
        sk.f1_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
    )
    by_class = sk.precision_recall_fscore_support(true, predicted, labels=range(5), zero_division=0)
    for found_class, *expected in zip(found.per_class, *by_class, strict=True):
        mine = (found_class.precision, found_class.recall, found_class.f1, found_class.support)
        assert mine == pytest.approx(expected)


@given(pairs=PAIRS)
def test_confusion_counts_every_clip_where_it_belongs(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    found = certain(true, predicted, tuple("abcde"), one_group(len(pairs)))
    for i in range(5):
        for j in range(5):
            assert found.confusion[i][j] == sum(pair == (i, j) for pair in pairs)


@given(seed=st.integers(0, 9999), clips=st.integers(1, 60))
def test_the_order_of_clips_tells_nothing(seed: int, clips: int) -> None:
    generator = np.random.default_rng(seed)
    true, probabilities = generator.integers(0, 3, clips), generator.dirichlet(np.ones(3), clips)
    speaker = generator.integers(0, 6, clips)
    order = generator.permutation(clips)

    def of(order: np.ndarray) -> dict[str, object]:
        groups = {name: speaker[order].astype(str) for name in ("corpus", "gender", "speaker")}
        return score(true[order], probabilities[order], ABC, groups).to_json()

    first, second = of(np.arange(clips)), of(order)
    for value in (first, second):
        value.pop("calibration")  # sums of floats: a test of its own
    assert first == second


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_groups_are_scored_as_if_they_stood_alone() -> None:
    generator = np.random.default_rng(0)
    true, predicted = generator.integers(0, 3, 90), generator.integers(0, 3, 90)
    speaker = generator.integers(0, 6, 90)
    groups = {
        "corpus": [["ravdess", "tess"][s // 4] for s in speaker],
        "gender": [["female", "male"][s % 2] for s in speaker],
        "speaker": [f"x/{s}" for s in speaker],
    }
    found = certain(true, predicted, ABC, groups)
    for kind, by in (("corpus", found.by_corpus), ("gender", found.by_gender), ("speaker", found.by_speaker)):
        assert [group.name for group in by] == sorted(set(groups[kind]))
        for group in by:
            inside = np.array(groups[kind]) == group.name
            alone = certain(true[inside], predicted[inside], ABC, one_group(int(inside.sum())))
            assert (group.ua, group.wa, group.macro_f1, group.support) == pytest.approx(
                (alone.ua, alone.wa, alone.macro_f1, alone.support)
            )
            assert group.speakers == len(set(speaker[inside]))
    assert found.speakers == 6


def test_intervals_need_three_speakers_and_hold_what_other_speakers_would_give() -> None:
    true = np.tile([0, 1, 2], 8)
    groups = {**one_group(24), "speaker": [f"x/{i // 6}" for i in range(24)]}
    found = certain(true, np.where(np.arange(24) < 12, true, 0), ABC, groups)
    assert found.intervals is not None
    assert (found.intervals.ua.low, found.intervals.ua.high) == pytest.approx((1 / 3, 1.0), abs=1e-9)
    assert certain(true, true, ABC, one_group(24)).intervals is None


def test_right_emotion_of_the_wrong_gender_counts_for_the_emotion() -> None:
    labels = label_set("common7")
    probabilities = np.zeros((2, 14))
    probabilities[0, 7] = 1.0  # male_angry, is female_angry
    probabilities[1, [1, 8, 2]] = (0.3, 0.3, 0.4)  # disgust by its sum, fearful by its largest part
    found = evaluate(np.array([0, 1]), probabilities, labels, Target.GENDER_EMOTION, one_group(2))
    assert found.own.wa == 0.0
    assert found.emotion.wa == 1.0
    assert found.emotion.class_names == tuple(map(str, labels.classes))
    assert found.own.calibration.confidence == pytest.approx(0.7)
    assert found.emotion.calibration.confidence == pytest.approx(0.8), "of the sums"


def test_loss_is_the_mean_cross_entropy_and_always_a_number() -> None:
    probabilities = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0.2, 0.8, 0, 0, 0, 0, 0]])
    found = evaluate(np.array([0, 1]), probabilities, label_set("common7"), Target.EMOTION, one_group(2))
    assert found.loss == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2)
    found = evaluate(np.array([6]), np.eye(7)[:1], label_set("common7"), Target.EMOTION, one_group(1))
    assert found.loss == pytest.approx(126 * math.log(2)), "the smallest float32"


def test_json_holds_every_figure_and_is_json() -> None:
    found = certain([0, 1], [0, 0], ABC, one_group(2))
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["ua"] == 0.5
    rates = {"precision": 0.5, "recall": 1.0, "f1": 2 / 3}
    assert value["per_class"][0] == {"name": "a", **rates, "support": 1, "intervals": None}
    assert value["by_gender"][0]["intervals"] is None
    assert value["confusion"] == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert value["intervals"] is None
    assert value["calibration"]["ece"] == 0.5
    assert value["by_speaker"][0]["name"] == "x/1"


def test_no_clips_are_a_sentence() -> None:
    with pytest.raises(RunError, match="no clips to test on"):
        certain([], [], ABC, one_group(0))
