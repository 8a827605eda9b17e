from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from schemas.errors import RunError
from schemas.labels import Target, label_set
from training.metrics import evaluate, scores, unweighted_average_recall

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)
ABC = ("a", "b", "c")


def one_group(n: int) -> dict[str, list[str]]:
    return {"corpus": ["x"] * n, "gender": ["female"] * n, "speaker": ["x/1"] * n}


def test_metrics_of_a_case_worked_by_hand() -> None:
    # a: 2 of 4 right; b: 1 of 1 right, and once predicted wrongly; c does not occur and is once predicted.
    true, predicted = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 1, 2, 1])
    found = scores(true, predicted, ABC, one_group(5))
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
def test_ua_and_wa_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    found = scores(true, predicted, tuple("abcde"), one_group(len(pairs)))
    assert found.ua == pytest.approx(sk.balanced_accuracy_score(true, predicted))
    assert unweighted_average_recall(true, predicted) == pytest.approx(found.ua)
    assert found.wa == pytest.approx(sk.accuracy_score(true, predicted))
    assert found.macro_f1 == pytest.approx(
        sk.f1_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
    )


@given(pairs=PAIRS)
def test_confusion_counts_every_clip_where_it_belongs(pairs: list[tuple[int, int]]) -> None:
    true, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    found = scores(true, predicted, tuple("abcde"), one_group(len(pairs)))
    for i in range(5):
        for j in range(5):
            assert found.confusion[i][j] == sum(pair == (i, j) for pair in pairs)


def test_corpora_and_genders_are_scored_apart() -> None:
    true, predicted = np.array([0, 1, 0, 1, 1]), np.array([0, 1, 1, 1, 0])
    groups = {
        "corpus": ["tess", "tess", "ravdess", "ravdess", "ravdess"],
        "gender": ["female", "female", "male", "female", "male"],
        "speaker": ["tess/1", "tess/1", "ravdess/1", "ravdess/2", "ravdess/1"],
    }
    found = scores(true, predicted, ABC, groups)
    ravdess, tess = found.by_corpus
    assert (ravdess.name, ravdess.support, tess.name, tess.ua, tess.wa) == ("ravdess", 3, "tess", 1.0, 1.0)
    assert ravdess.ua == pytest.approx((0 + 1 / 2) / 2)
    assert ravdess.wa == pytest.approx(1 / 3)
    assert (found.speakers, ravdess.speakers, tess.speakers) == (3, 2, 1)
    assert [(g.name, g.wa) for g in found.by_gender] == [("female", 1.0), ("male", 0.0)]


def test_right_emotion_of_the_wrong_gender_counts_for_the_emotion() -> None:
    labels = label_set("common7")
    probabilities = np.zeros((2, 14))
    probabilities[0, 7] = 1.0  # male_angry, is female_angry
    probabilities[1, [1, 8, 2]] = (0.3, 0.3, 0.4)  # disgust by its sum, fearful by its largest part
    found = evaluate(np.array([0, 1]), probabilities, labels, Target.GENDER_EMOTION, one_group(2))
    assert found.own.wa == 0.0
    assert found.emotion.wa == 1.0
    assert found.emotion.class_names == tuple(map(str, labels.classes))


def test_loss_is_the_mean_cross_entropy() -> None:
    probabilities = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0.2, 0.8, 0, 0, 0, 0, 0]])
    found = evaluate(np.array([0, 1]), probabilities, label_set("common7"), Target.EMOTION, one_group(2))
    assert found.loss == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2)


def test_json_holds_every_figure_and_is_json() -> None:
    found = scores(np.array([0, 1]), np.array([0, 0]), ABC, one_group(2))
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["ua"] == 0.5
    assert value["per_class"][0] == {"name": "a", "precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert value["confusion"] == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_no_clips_are_a_sentence() -> None:
    with pytest.raises(RunError, match="no clip to test on"):
        scores(np.array([], dtype=np.int64), np.array([], dtype=np.int64), ABC, one_group(0))
