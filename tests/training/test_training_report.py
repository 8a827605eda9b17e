from __future__ import annotations

import numpy as np

from schemas.labels import Target, label_set
from training.metrics import Evaluation, evaluate
from training.report import report


def evaluation(target: Target) -> Evaluation:
    labels = label_set("common7")
    classes = len(labels.class_names(target))
    true = np.arange(classes).repeat(2)
    probabilities = np.eye(classes)[np.where(np.arange(len(true)) % 4 == 0, 0, true)]
    groups = {"corpus": ["tess"] * len(true), "gender": ["female"] * len(true)}
    groups["speaker"] = [f"tess/{i % 5}" for i in range(len(true))]
    return evaluate(true, probabilities, labels, target, groups)


def test_headline_has_protocol_and_figures_and_comes_first() -> None:
    found = evaluation(Target.GENDER_EMOTION)
    lines = report(found, Target.GENDER_EMOTION, "speaker-independent (protocol: speaker)", 4).splitlines()
    assert lines[0] == (
        f"speaker-independent (protocol: speaker): UA {100 * found.own.ua:.1f} %, "
        f"WA {100 * found.own.wa:.1f} %, macro-F1 {100 * found.own.macro_f1:.1f} %"
    )
    assert lines[1] == "28 test clips of 5 speakers, weights of epoch 4"


def test_emotion_marginal_stands_beside_gender_by_emotion_and_only_there() -> None:
    both = report(evaluation(Target.GENDER_EMOTION), Target.GENDER_EMOTION, "t", 1)
    assert "gender × emotion (14 classes)" in both
    assert "emotion (7 classes)" in both
    alone = report(evaluation(Target.EMOTION), Target.EMOTION, "t", 1)
    assert "14 classes" not in alone
    assert alone.count("emotion (7 classes)") == 1


def test_tables_are_aligned() -> None:
    text = report(evaluation(Target.EMOTION), Target.EMOTION, "t", 1)
    table = next(part for part in text.split("\n\n") if part.startswith("class "))
    assert len({len(line) for line in table.splitlines()}) == 1


def test_classes_without_test_clips_have_dashes_and_are_counted() -> None:
    labels = label_set("common7")
    true = np.array([0, 0, 1, 2, 4])
    probabilities = np.eye(7)[[0, 3, 1, 2, 4]]
    groups = {"corpus": ["tess"] * 5, "gender": ["female"] * 5, "speaker": ["tess/1"] * 5}
    text = report(evaluate(true, probabilities, labels, Target.EMOTION, groups), Target.EMOTION, "t", 3)
    lines = text.splitlines()
    assert lines[1] == "5 test clips of 1 speaker, UA over 4 of 7 classes, weights of epoch 3"
    assert "emotion (4 of 7 classes)" in text
    (happy,) = (line.split() for line in lines if line.startswith("happy"))
    assert happy == ["happy", "–", "–", "–", "0"]
    (angry,) = (line.split() for line in lines if line.startswith("angry"))
    assert angry == ["angry", "100.0", "%", "50.0", "%", "66.7", "%", "2"]
    assert "macro-F1 are means over the classes that have test clips" in text


def test_corpora_stand_near_the_headline_with_their_speakers() -> None:
    parts = report(evaluation(Target.EMOTION), Target.EMOTION, "t", 1).split("\n\n")
    assert parts[2].splitlines()[0].split() == ["corpus", "(emotion)", "UA", "WA", "clips", "speakers"]
    assert parts[2].splitlines()[1].split()[-2:] == ["14", "5"]
