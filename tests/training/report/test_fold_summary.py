from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from schemas.errors import RunError
from schemas.labels import Target, label_set
from tests.training.claims import claim
from training.metrics.evaluation import evaluate_predictions
from training.metrics.predictions import Predictions
from training.report import summary_text as summary_text_module
from training.report.summary import FoldResult, MeanAndDeviation, Summary, summarise
from training.report.summary_text import summary_markdown, summary_text, write_summary
from training.runs.run import RunFolder

EIGHT, SEVEN = label_set("ravdess8"), label_set("common7")
CLAIM = claim(protocol="emobox", folds=6)
TITLE = CLAIM.title
GROUPS = ([1, 11, 20, 21], [4, 10, 12, 14], [8, 9, 19, 23], [3, 5, 7, 24], [2, 15, 16, 18], [6, 13, 17, 22])


def fold(number: int, speakers: list[int], target: Target = Target.EMOTION, clips: int = 15) -> FoldResult:
    """Some clips of every speaker, of whom some are recognised better than others."""
    labels = EIGHT if target is Target.EMOTION else SEVEN
    names, emotions = labels.class_names(target), len(labels.classes)
    generator = np.random.default_rng(number)
    speaker = np.repeat(speakers, clips)
    true = generator.integers(0, emotions, len(speaker))
    if target is Target.GENDER_EMOTION:
        true = true + emotions * (speaker % 2)
    scores = generator.normal(size=(len(speaker), len(names)))
    scores[np.arange(len(speaker)), true] += 1 + speaker % 3
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    frame = pd.DataFrame(
        {
            "clip_id": [f"ravdess/{number}-{i}" for i in range(len(speaker))],
            "dataset": "ravdess",
            "speaker": [f"ravdess/{s:02}" for s in speaker],
            "gender": np.where(speaker % 2, "male", "female"),
        }
    )
    predictions = Predictions.of(names, frame, np.zeros(len(speaker), dtype=np.int64), true, probabilities)
    return FoldResult(str(number), predictions, best_epoch=3 + number, run=f"fold-{number}")


@pytest.fixture(scope="module")
def summary() -> Summary:
    folds = [fold(i, group) for i, group in enumerate(GROUPS, 1)]
    return summarise(folds, EIGHT, Target.EMOTION, CLAIM, "model C, trained on ravdess")


def test_mean_and_sample_deviation_are_over_folds_and_the_interval_over_all_speakers(
    summary: Summary,
) -> None:
    parts = [fold(i, group).predictions for i, group in enumerate(GROUPS, 1)]
    by_fold = [sk.balanced_accuracy_score(part.true, part.predicted) for part in parts]
    assert summary.emotion.ua.mean == pytest.approx(np.mean(by_fold))
    assert summary.emotion.ua.sd == pytest.approx(np.std(by_fold, ddof=1))
    true, predicted = (np.concatenate([getattr(p, side) for p in parts]) for side in ("true", "predicted"))
    pooled = summary.pooled.emotion
    assert pooled.ua == pytest.approx(sk.balanced_accuracy_score(true, predicted))
    assert pooled.wa == pytest.approx(sk.accuracy_score(true, predicted))
    assert pooled.macro_f1 == pytest.approx(sk.f1_score(true, predicted, average="macro"))
    assert np.array_equal(pooled.confusion, sk.confusion_matrix(true, predicted))
    assert pooled.intervals is not None
    assert pooled.intervals.speakers == pooled.speakers == 24
    assert pooled.intervals.ua.low < pooled.ua < pooled.intervals.ua.high
    assert len(pooled.by_speaker) == 24


def test_text_names_the_protocol_first_then_folds_mean_and_pooled(summary: Summary) -> None:
    over, pooled = summary.emotion, summary.pooled.emotion
    assert TITLE == "speaker-independent (protocol: emobox, 6 folds)"
    text = summary_text(summary)
    assert over.ua.sd is not None
    mean, sd = 100 * over.ua.mean, 100 * over.ua.sd
    assert text.startswith(f"{TITLE}: UA {mean:.1f} ± {sd:.1f} % (mean ± sd over folds)\n")
    assert f"pooled UA {100 * pooled.ua:.1f} % (95 % interval " in text
    assert "360 test clips of 24 speakers" in " ".join(text.split())
    (table,) = (part.splitlines() for part in text.split("\n\n") if part.startswith("fold "))
    assert [line.split()[0] for line in table] == ["fold", *"123456", "mean", "pooled"]
    assert table[2].split()[-3:] == ["60", "4", "5"], "clips, speakers, best epoch"
    assert max(map(len, text.splitlines())) <= 100


def test_gender_by_emotion_is_summed_up_on_emotions_with_its_own_beside() -> None:
    folds = [fold(i, group, Target.GENDER_EMOTION) for i, group in enumerate(GROUPS[:3], 1)]
    found = summarise(
        folds, SEVEN, Target.GENDER_EMOTION, claim(protocol="kfold:3", folds=3), "model A, trained on ravdess"
    )
    own = [evaluate_predictions(f.predictions, SEVEN, Target.GENDER_EMOTION) for f in folds]
    assert found.own.ua.mean == pytest.approx(np.mean([e.own.ua for e in own]))
    assert found.emotion.ua.mean == pytest.approx(np.mean([e.emotion.ua for e in own]))
    assert found.own.ua.mean < found.emotion.ua.mean
    text = summary_text(found)
    assert f"(protocol: kfold:3, 3 folds): UA {100 * found.emotion.ua.mean:.1f} ±" in text
    assert "gender × emotion (14 classes)" in text


def test_a_folder_holds_the_summary_for_people_and_machines(summary: Summary, tmp_path: Path) -> None:
    write_summary(summary, RunFolder(tmp_path))
    names = {path.name for path in tmp_path.iterdir()}
    files = {"predictions.csv", "summary.json", "summary.txt", "README.md"}
    assert names == files | {"folds.png", "confusion-emotion.png", "reliability.png"}
    assert (tmp_path / "folds.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads((tmp_path / "summary.json").read_text())
    assert values["title"] == TITLE
    assert values["over_folds"]["emotion"]["ua"]["mean"] == summary.emotion.ua.mean
    assert values["pooled"]["emotion"]["ua"] == summary.pooled.emotion.ua
    assert [f["best_epoch"] for f in values["folds"]] == [4, 5, 6, 7, 8, 9]
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    right = [row["true"] == row["predicted"] for row in rows]
    assert sum(right) / len(right) == pytest.approx(summary.pooled.emotion.wa)
    again = Predictions.read(tmp_path / "predictions.csv")
    assert evaluate_predictions(again, EIGHT, Target.EMOTION) == summary.pooled


def test_pictures_that_fail_leave_the_summary(
    summary: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise MemoryError

    for name in ("folds_png", "confusion_png", "reliability_png"):
        monkeypatch.setattr(summary_text_module, name, fails)
    problems = write_summary(summary, RunFolder(tmp_path))
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".json", ".txt", ".md"}
    assert len(problems) == 3


def test_markdown_carries_title_folds_and_warning(summary: Summary) -> None:
    card = summary_markdown(summary)
    assert "## Result: speaker-independent (protocol: emobox, 6 folds)" in card
    assert "| mean ± sd | " in card
    assert "Warning" not in card
    folds = [fold(1, GROUPS[0]), fold(2, GROUPS[1])]
    random = claim("speaker-dependent", "random", folds=2)
    dependent = summarise(folds, EIGHT, Target.EMOTION, random, "model C, trained on ravdess")
    assert "**Warning.** Speaker-dependent: training heard the test speakers" in summary_markdown(dependent)
    assert "speaker-dependent: training heard the test speakers" in summary_text(dependent)


def test_one_fold_has_no_deviation() -> None:
    one = claim(protocol="emobox", folds=1)
    assert one.title == "speaker-independent (protocol: emobox, 1 fold)"
    found = summarise([fold(1, GROUPS[0])], EIGHT, Target.EMOTION, one, "model C, trained on ravdess")
    assert found.emotion.ua == MeanAndDeviation(found.pooled.emotion.ua, None)
    text = summary_text(found)
    assert "(one fold)" in text
    assert "±" not in text
    json.dumps(found.to_json(), allow_nan=False)


def test_folds_that_cannot_be_pooled_are_a_sentence() -> None:
    def refused(folds: list[FoldResult]) -> str:
        with pytest.raises(RunError) as caught:
            summarise(folds, EIGHT, Target.EMOTION, CLAIM, "m")
        return str(caught.value)

    assert "ravdess/1-0 is tested in two folds" in refused([fold(1, [1]), fold(1, [1])])
    assert "no folds to summarise" in refused([])
    assert "same labels" in refused([fold(1, [1]), fold(2, [2], Target.GENDER_EMOTION)])


def test_the_order_of_folds_moves_no_pooled_figure(summary: Summary) -> None:
    folds = [fold(i, group) for i, group in enumerate(GROUPS, 1)]
    turned = summarise(folds[::-1], EIGHT, Target.EMOTION, CLAIM, "m")
    assert turned.pooled.emotion.intervals == summary.pooled.emotion.intervals
    assert turned.pooled.emotion.by_speaker == summary.pooled.emotion.by_speaker
    assert turned.emotion.ua.mean == pytest.approx(summary.emotion.ua.mean)
