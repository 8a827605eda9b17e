from __future__ import annotations

import numpy as np
import pytest

from schemas.labels import Target, label_set
from tests.training.claims import claim
from training.metrics.evaluation import evaluate
from training.metrics.scores import Evaluation
from training.report.text import report
from training.report.wording import warning

CLAIM = claim(protocol="emobox", fold=3, folds=6)
TITLE = CLAIM.title


def evaluation(target: Target, speakers: int = 5) -> Evaluation:
    labels = label_set("common7")
    classes = len(labels.class_names(target))
    true = np.arange(classes).repeat(20)
    wrong = (np.arange(len(true)) * (1 + np.arange(len(true)) % 5)) % 4 == 0
    probabilities = np.full((len(true), classes), 0.4 / classes)
    probabilities[np.arange(len(true)), np.where(wrong, 0, true)] += 0.6
    groups = {"corpus": ["tess"] * len(true), "gender": ["female"] * len(true)}
    groups["speaker"] = [f"tess/{i % speakers}" for i in range(len(true))]
    return evaluate(true, probabilities, labels, target, groups)


def test_headline_has_protocol_ua_and_its_interval_and_comes_first() -> None:
    found = evaluation(Target.GENDER_EMOTION)
    ua = found.emotion.intervals.ua  # type: ignore[union-attr]
    lines = report(found, Target.GENDER_EMOTION, CLAIM, 4).splitlines()
    assert lines[0] == (
        f"{TITLE}: UA {100 * found.emotion.ua:.1f} % "
        f"(95 % interval {100 * ua.low:.1f} to {100 * ua.high:.1f})"
    )
    assert lines[1] == (
        f"WA {100 * found.emotion.wa:.1f} %, macro-F1 {100 * found.emotion.macro_f1:.1f} %; "
        "280 test clips of 5 speakers; weights of epoch 4"
    )
    assert ua.low < found.emotion.ua < ua.high


def test_each_rate_of_the_table_has_its_own_interval() -> None:
    generator = np.random.default_rng(0)
    true = np.repeat(np.arange(7), [5, 10, 15, 20, 25, 30, 35])
    probabilities = generator.dirichlet(np.ones(7), 140) + 0.3 * np.eye(7)[true]
    groups = {name: generator.integers(0, 6, 140).astype(str) for name in ("corpus", "gender", "speaker")}
    labels = label_set("common7")
    found = evaluate(true, probabilities / 1.3, labels, Target.EMOTION, groups)
    text = report(found, Target.EMOTION, CLAIM, 1)
    (row,) = (line for line in text.splitlines() if line.startswith("emotion (7 classes)"))
    scores, bounds = found.emotion, found.emotion.intervals
    assert bounds is not None
    rates = ((scores.ua, bounds.ua), (scores.wa, bounds.wa), (scores.macro_f1, bounds.macro_f1))
    cells = [f"{100 * rate:.1f} % {100 * i.low:.1f}–{100 * i.high:.1f}" for rate, i in rates]
    assert len(set(cells)) == 3
    assert " ".join(row.split()[3:]) == f"{' '.join(cells)} {100 * scores.calibration.ece:.1f} %"


def test_two_speakers_have_no_interval_and_the_report_says_why() -> None:
    text = report(evaluation(Target.EMOTION, speakers=2), Target.EMOTION, CLAIM, 4)
    assert text.splitlines()[0].endswith(" % (no interval: 2 speakers)")
    assert "No interval: the speaker bootstrap needs at least 3 test speakers; this test has 2." in text


def test_the_interval_is_explained_and_few_speakers_are_a_caveat() -> None:
    few = " ".join(report(evaluation(Target.EMOTION, speakers=4), Target.EMOTION, CLAIM, 4).split())
    assert "expanded percentiles of 10,000 resamples of the 4 test speakers with all their clips" in few
    assert "With fewer than five speakers, it is too narrow." in few
    assert "too narrow" not in report(evaluation(Target.EMOTION, speakers=5), Target.EMOTION, CLAIM, 4)


@pytest.mark.parametrize("target", [Target.EMOTION, Target.GENDER_EMOTION])
def test_a_report_fits_a_terminal_of_100_columns(target: Target) -> None:
    for tested in (CLAIM, claim("speaker-dependent", "random"), claim("leaky", "random")):
        for speakers in (2, 5, 12):
            text = report(evaluation(target, speakers), target, tested, 100)
            assert max(map(len, text.splitlines())) <= 100


def test_results_that_tell_nothing_of_new_speakers_carry_a_warning() -> None:
    dependent = report(evaluation(Target.EMOTION), Target.EMOTION, claim("speaker-dependent", "random"), 1)
    assert dependent.splitlines()[2] == (
        "speaker-dependent: training heard the test speakers; the result says nothing about new speakers"
    )
    leaky = report(evaluation(Target.EMOTION), Target.EMOTION, claim("leaky", "random"), 1)
    assert "test samples (views of clips) of " in leaky.splitlines()[1]
    assert leaky.splitlines()[2].startswith("leaky: training heard copies of the test recordings;")
    assert report(evaluation(Target.EMOTION), Target.EMOTION, CLAIM, 1).splitlines()[2] == ""


def test_a_corpus_called_leaky_makes_no_result_leaky() -> None:
    named = claim(protocol=None, trained_on=("leaky",), tested_on=("leaky, speaker-dependent",))
    assert "leaky" in named.title
    assert warning(named) is None
    assert "test clips of" in report(evaluation(Target.EMOTION), Target.EMOTION, named, 1).splitlines()[1]


def test_emotion_marginal_stands_beside_gender_by_emotion_and_only_there() -> None:
    both = report(evaluation(Target.GENDER_EMOTION), Target.GENDER_EMOTION, CLAIM, 1)
    assert "gender × emotion (14 classes)" in both
    assert "emotion (7 classes)" in both
    assert "female_angry" in both
    alone = report(evaluation(Target.EMOTION), Target.EMOTION, CLAIM, 1)
    assert "14 classes" not in alone
    assert alone.count("emotion (7 classes)") == 1


def test_a_model_without_epochs_is_of_no_epoch() -> None:
    assert "epoch" not in report(evaluation(Target.EMOTION), Target.EMOTION, CLAIM, None)


def test_tables_are_aligned() -> None:
    text = report(evaluation(Target.EMOTION), Target.EMOTION, CLAIM, 1)
    table = next(part for part in text.split("\n\n") if part.startswith("emotion  "))
    assert len({len(line) for line in table.splitlines()}) == 1


def test_classes_without_test_clips_have_dashes_and_are_counted() -> None:
    labels = label_set("common7")
    true = np.array([0, 0, 1, 2, 4])
    probabilities = np.eye(7)[[0, 3, 1, 2, 4]]
    groups = {"corpus": ["tess"] * 5, "gender": ["female"] * 5, "speaker": ["tess/1"] * 5}
    text = report(evaluate(true, probabilities, labels, Target.EMOTION, groups), Target.EMOTION, CLAIM, 3)
    lines = text.splitlines()
    assert lines[1].endswith("; 5 test clips of 1 speaker, UA over 4 of 7 classes; weights of epoch 3")
    assert "emotion (4 of 7 classes)" in text
    happy, _ = (line.split() for line in lines if line.startswith("happy"))
    assert happy == ["happy", "–", "–", "–", "0"]
    angry, confused = (line.split() for line in lines if line.startswith("angry"))
    assert angry == ["angry", "100.0", "%", "50.0", "%", "66.7", "%", "2"]
    assert confused == ["angry", "1", "·", "·", "1", "·", "·", "·"]
    assert "macro-F1 are means over the classes that have test clips" in text
    assert "UA by speaker" not in text, "one speaker has no spread"


def test_corpora_and_genders_have_their_rates_clips_and_speakers() -> None:
    found = evaluation(Target.EMOTION)
    parts = report(found, Target.EMOTION, CLAIM, 1).split("\n\n")
    (table,) = (part.splitlines() for part in parts if part.startswith("emotion in"))
    assert table[0].split() == ["emotion", "in", "UA", "WA", "macro-F1", "clips", "speakers"]
    assert [line.split()[0] for line in table[1:]] == ["tess", "female"]
    assert table[1].split()[1] == f"{100 * found.emotion.ua:.1f}"
    assert table[1].split()[-2:] == ["140", "5"]


def test_speakers_and_calibration_are_summed_up_in_a_line_each() -> None:
    found = evaluation(Target.EMOTION)
    by_ua = sorted(found.emotion.by_speaker, key=lambda speaker: speaker.ua)
    text = report(found, Target.EMOTION, CLAIM, 1)
    assert f"UA by speaker: {100 * by_ua[0].ua:.1f} % ({by_ua[0].name}) to {100 * by_ua[-1].ua:.1f} %" in text
    assert f"median {100 * by_ua[2].ua:.1f} %" in text
    ece = 100 * found.emotion.calibration.ece
    assert f"calibration error (ECE, 15 bins) {ece:.1f} %: over-confident, mean confidence 65.7 %" in text
