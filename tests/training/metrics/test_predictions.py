from __future__ import annotations

import csv
import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RunError
from schemas.labels import Target, label_set
from training.metrics.evaluation import evaluate_predictions
from training.metrics.predictions import Predictions

SEVEN = label_set("common7")


def some(
    clips: int = 30, seed: int = 0, classes: tuple[str, ...] = SEVEN.class_names(Target.EMOTION)
) -> Predictions:
    generator = np.random.default_rng(seed)
    numbers = generator.integers(0, 5, clips)
    frame = pd.DataFrame(
        {
            "clip_id": [f"tess/{seed}-{i}" for i in range(clips)],
            "dataset": "tess",
            "speaker": [f"tess/{n}" for n in numbers],
            "gender": np.where(numbers % 2, "male", "female"),
        }
    )
    probabilities = generator.dirichlet(np.full(len(classes), 0.3), clips)
    true = generator.integers(0, len(classes), clips)
    return Predictions.of(classes, frame, np.zeros(clips, dtype=np.int64), true, probabilities)


def test_a_file_gives_the_same_metrics_to_the_last_bit(tmp_path: Path) -> None:
    found = some(200)
    (tmp_path / "predictions.csv").write_text(found.to_csv())
    again = Predictions.read(tmp_path / "predictions.csv")
    first, second = (evaluate_predictions(p, SEVEN, Target.EMOTION) for p in (found, again))
    assert first == second
    assert (again.clip_id, again.speaker, again.gender) == (found.clip_id, found.speaker, found.gender)
    assert (again.true == found.true).all()


@given(value=st.floats(0, 0.5, width=32))
def test_every_float32_is_read_as_it_was_written(value: float) -> None:
    row = np.array([[value, 1 - value]], dtype=np.float32)
    clips = pd.DataFrame({"clip_id": ["a"], "dataset": ["x"], "speaker": ["x/1"], "gender": ["female"]})
    found = Predictions.of(("no", "yes"), clips, np.zeros(1, dtype=np.int64), np.array([1]), row)
    again = Predictions.from_csv(found.to_csv()).probabilities
    assert again.tobytes() == row.tobytes() == struct.pack("ff", *row[0])


def test_a_mean_is_taken_clip_by_clip_whatever_their_order() -> None:
    one, two = some(20), some(20)
    turned = np.random.default_rng(1).permutation(20)
    other = replace(
        two,
        clip_id=tuple(two.clip_id[i] for i in turned),
        speaker=tuple(two.speaker[i] for i in turned),
        gender=tuple(two.gender[i] for i in turned),
        true=two.true[turned],
        probabilities=np.roll(two.probabilities, 1, axis=1)[turned],
    )
    found = Predictions.average([one, other])
    expected = (one.probabilities + np.roll(one.probabilities, 1, axis=1)) / 2
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    assert (found.clip_id, found.speaker) == (one.clip_id, one.speaker)
    assert (found.true == one.true).all()


def test_a_mean_over_other_clips_classes_or_labels_is_refused() -> None:
    one = some(20)
    with pytest.raises(RunError, match="were tested on different clips"):
        Predictions.average([one, some(20, seed=1)])
    with pytest.raises(RunError, match="give models with the same labels"):
        Predictions.average([one, some(20, classes=("no", "yes"))])
    with pytest.raises(RunError, match="have different labels for a clip"):
        Predictions.average([one, replace(one, true=(one.true + 1) % len(one.classes))])


def test_a_person_reads_one_row_a_clip_with_names_of_classes() -> None:
    found = some(3)
    first, *_ = csv.DictReader(io.StringIO(found.to_csv()))
    assert first["clip_id"] == "tess/0-0"
    assert first["true"] == found.classes[found.true[0]]
    assert float(first[first["predicted"]]) == max(float(first[name]) for name in found.classes)
    assert list(first)[:7] == ["clip_id", "view", "dataset", "speaker", "gender", "true", "predicted"]
    assert len(found.to_csv().splitlines()) == 4


def test_names_with_commas_quotes_and_line_breaks_survive() -> None:
    found = some(1)
    odd = Predictions(**{**vars(found), "clip_id": ('x/a, "b"\nc',), "speaker": ("ü,",)})
    again = Predictions.from_csv(odd.to_csv())
    assert (again.clip_id, again.speaker) == (odd.clip_id, odd.speaker)


HEADER = "clip_id,view,dataset,speaker,gender,true,predicted,no,yes\n"
ROW = "a,0,x,x/1,female,no,yes,0.25,0.75\n"

DAMAGE = {
    "empty": ("", "the columns are not"),
    "other columns": (HEADER.replace("speaker", "who") + ROW, "the columns are not"),
    "no classes": ("clip_id,view,dataset,speaker,gender,true,predicted\n", "the columns are not"),
    "a short row": (HEADER + "a,0,x\n", "row 2 has 3 cells instead of 9"),
    "a stray class": (HEADER + ROW.replace(",no,", ",maybe,"), "'maybe' is not one of the classes no, yes"),
    "a wrong prediction": (
        HEADER + ROW.replace("no,yes", "no,no"),
        "a is not predicted as its most probable class",
    ),
    "a word for a number": (
        HEADER + ROW.replace("0.25", "much"),
        "could not convert string to float: 'much'",
    ),
    "a sum that is not 1": (HEADER + ROW.replace("0.25", "0.5"), "the probabilities of a do not sum to 1"),
    "not a number": (HEADER + ROW.replace("0.25", "nan"), "the probabilities of a do not sum to 1"),
    "a negative share": (HEADER + ROW.replace("0.25", "-0.25").replace("0.75", "1.25"), "do not sum to 1"),
    "a clip twice": (HEADER + ROW + ROW, "a is listed twice"),
    "a view before the original": (HEADER + ROW.replace("a,0", "a,-1"), "a view index is negative"),
    "a view without end": (HEADER + ROW.replace("a,0", f"a,{10**30}"), "too large"),
    "a class twice": (HEADER.replace("no,yes", "yes,yes") + ROW.replace(",no,", ",yes,"), "named twice"),
    "a quote that never ends": (HEADER + '"a' + ROW, "unexpected end of data"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_sentence_with_the_file_and_the_next_step(name: str, tmp_path: Path) -> None:
    text, said = DAMAGE[name]
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(RunError) as caught:
        Predictions.read(path)
    assert str(caught.value).startswith(f"{path}: invalid predictions: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith("write them again with ser-train --resume RUN")


def test_files_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*gone\.csv: No such file"):
        Predictions.read(tmp_path / "gone.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="not a UTF-8 text file"):
        Predictions.read(tmp_path / "bytes.csv")


def test_predictions_that_do_not_fit_together_are_refused() -> None:
    found = vars(some(4))
    for change, said in (
        ({"speaker": ("x",)}, "speaker has 1 values for 4 clips"),
        ({"true": np.array([0, 1, 2, 7])}, "a class index is outside 0 to 6"),
        ({"probabilities": np.ones((4, 3), dtype=np.float32)}, r"shape \(4, 3\) for 4 clips and 7 classes"),
        ({"probabilities": found["probabilities"].astype(np.float64)}, "are float64 instead of float32"),
    ):
        with pytest.raises(RunError, match=said):
            Predictions(**{**found, **change})


def test_one_clip_may_be_heard_in_two_views() -> None:
    found = some(2)
    twice = Predictions(**{**vars(found), "clip_id": ("a", "a"), "view": np.array([0, 3])})
    assert Predictions.from_csv(twice.to_csv()).view.tolist() == [0, 3]


def test_folds_are_joined_in_order_and_only_where_they_fit() -> None:
    first, second = some(5, seed=1), some(4, seed=2)
    joined = Predictions.join([first, second])
    assert joined.clip_id == first.clip_id + second.clip_id
    assert (joined.probabilities[5:] == second.probabilities).all()
    with pytest.raises(RunError, match=r"tess/1-0 is tested in two folds"):
        Predictions.join([first, second, first])
    with pytest.raises(RunError, match="train all folds with the same labels"):
        Predictions.join([first, some(3, seed=3, classes=("a", "b"))])


def test_predictions_of_other_classes_are_not_scored() -> None:
    with pytest.raises(RunError, match="label set 'ravdess8' with target emotion has neutral, calm"):
        evaluate_predictions(some(3), label_set("ravdess8"), Target.EMOTION)
