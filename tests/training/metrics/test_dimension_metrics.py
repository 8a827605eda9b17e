"""Metrics of regressions, and the file of their predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from schemas.errors import RunError
from tests.training.metrics.test_concordance import ccc_by_formula
from training.metrics.dimensions import evaluate_values
from training.metrics.value_predictions import ValuePredictions

NAMES = ("valence", "arousal")


def predictions_of(clips: int = 60, speakers: int = 6, noise: float = 0.5, seed: int = 0) -> ValuePredictions:
    """Noisy predictions of clips of two corpora, with the speakers in turn."""
    draw = np.random.default_rng(seed)
    true = draw.uniform(1, 5, (clips, 2))
    of = [f"{'ab'[i % speakers % 2]}/{i % speakers}" for i in range(clips)]
    manifest = pd.DataFrame(
        {
            "clip_id": [f"clip {i}" for i in range(clips)],
            "dataset": [name[0] for name in of],
            "speaker": of,
            "gender": ["female" if name[-1] in "012" else "male" for name in of],
        }
    )
    views = np.zeros(clips, dtype=np.int64)
    return ValuePredictions.of(NAMES, manifest, views, true, true + draw.normal(0, noise, true.shape))


def test_metrics_are_those_of_the_formula_also_by_group() -> None:
    found = predictions_of()
    scores = evaluate_values(found)
    predicted = found.predicted.astype(np.float64)
    for i, score in enumerate(scores.per_dimension):
        assert score.ccc == pytest.approx(ccc_by_formula(found.true[:, i], predicted[:, i]))
        assert score.rmse == pytest.approx(np.sqrt(np.square(found.true[:, i] - predicted[:, i]).mean()))
        assert (score.mean, score.deviation) == pytest.approx(
            (found.true[:, i].mean(), found.true[:, i].std())
        )
    assert scores.ccc == pytest.approx(np.mean([score.ccc for score in scores.per_dimension]))
    assert (scores.support, scores.speakers) == (60, 6)
    for kind, groups in (("dataset", scores.by_corpus), ("speaker", scores.by_speaker)):
        names = np.array(found.dataset if kind == "dataset" else found.speaker)
        assert [group.name for group in groups] == sorted(set(names))
        for group in groups:
            at = names == group.name
            expected = [ccc_by_formula(found.true[at, i], predicted[at, i]) for i in range(2)]
            assert group.ccc == pytest.approx(expected)
            assert group.support == at.sum()


def test_a_speaker_of_two_corpora_is_one() -> None:
    """Those of RAVDESS sing in ravdess-song, and intervals must not count them twice."""
    speaks = predictions_of()
    number = [name[-1] for name in speaks.speaker]
    one, two = (
        replace(speaks, speaker=tuple(f"{corpora[i // 6 % 2]}/{n}" for i, n in enumerate(number)))
        for corpora in (("ravdess", "ravdess"), ("ravdess", "ravdess-song"))
    )
    assert len(set(two.speaker)) == 12
    assert evaluate_values(two) == evaluate_values(one)
    assert evaluate_values(one).speakers == 6


def test_intervals_hold_the_result_and_depend_on_speakers_alone() -> None:
    scores = evaluate_values(predictions_of())
    assert scores.intervals is not None
    for interval, value in (
        (scores.intervals.mean.ccc, scores.ccc),
        (scores.intervals.mean.rmse, scores.rmse),
        (scores.intervals.each[0].ccc, scores.per_dimension[0].ccc),
    ):
        assert interval.low < value < interval.high
    assert evaluate_values(predictions_of(speakers=2)).intervals is None
    # Clips that are alike for every speaker leave nothing that other speakers could change.
    clips = predictions_of(clips=12, speakers=4)
    alike = ValuePredictions(
        **{
            **vars(clips),
            "true": np.repeat(clips.true[:3], 4, axis=0),
            "predicted": np.repeat(clips.predicted[:3], 4, axis=0),
        }
    )
    certain = evaluate_values(alike).intervals
    assert certain is not None
    assert certain.mean.ccc.low == pytest.approx(certain.mean.ccc.high)


def test_a_file_of_predictions_holds_every_digit(tmp_path: Path) -> None:
    found = predictions_of()
    path = tmp_path / "predictions.csv"
    path.write_text(found.to_csv(), encoding="utf-8")
    table = pd.read_csv(path)
    assert [*table.columns][5:] == [
        "true_valence",
        "predicted_valence",
        "true_arousal",
        "predicted_arousal",
    ]
    again = ValuePredictions.read(path)
    np.testing.assert_array_equal(again.true, found.true)
    np.testing.assert_array_equal(again.predicted, found.predicted)
    assert evaluate_values(again) == evaluate_values(found)
    assert again.heard == found.heard


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("true_valence", "valence", "columns are not"),
        ("clip 1,", "clip 0,", "clip 0 is listed twice"),
        ("clip 9,0,b,b/3,male,", "clip 9,0,", "row 11 has 6 cells instead of 9"),
        ("clip 3,0,b,b/3,male,", "clip 3,0,b,b/3,male,x", "could not convert"),
        ("clip 3,0,b,b/3,male,", "clip 3,-1,b,b/3,male,", "a view index is negative"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "predictions.csv"
    text = predictions_of().to_csv()
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RunError, match=message):
        ValuePredictions.read(path)


def test_folds_are_joined_clip_by_clip() -> None:
    whole = predictions_of()
    parts = [
        ValuePredictions(
            names=whole.names,
            clip_id=whole.clip_id[part],
            view=whole.view[part],
            dataset=whole.dataset[part],
            speaker=whole.speaker[part],
            gender=whole.gender[part],
            true=whole.true[part],
            predicted=whole.predicted[part],
        )
        for part in (slice(0, 25), slice(25, None))
    ]
    assert evaluate_values(ValuePredictions.join(parts)) == evaluate_values(whole)
    with pytest.raises(RunError, match="clip 0 is tested in two folds"):
        ValuePredictions.join([whole, parts[0]])


def test_a_test_without_clips_is_refused() -> None:
    with pytest.raises(RunError, match="no clips to test on"):
        evaluate_values(predictions_of(clips=0))
