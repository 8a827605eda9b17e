from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.errors import RunError
from schemas.labels import LABEL_SETS, Target, label_set
from schemas.labels_spec import LabelsSpec
from training.samples.targets import (
    NO_CLASS,
    candidates,
    emotion_marginal,
    given_emotions,
    targets_of,
)


@pytest.mark.parametrize("name", LABEL_SETS)
@pytest.mark.parametrize("target", [Target.EMOTION, Target.GENDER_EMOTION])
def test_every_clip_gets_the_class_that_its_name_says(make_manifest: Any, name: str, target: Target) -> None:
    labels = label_set(name)
    emotions = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised", "bored"]
    manifest = make_manifest(
        {"speaker": "x/0", "emotion": e, "gender": g} for e in emotions for g in ("male", "female")
    )
    found = targets_of(manifest, labels, target)
    for row, index in zip(manifest.itertuples(), found.classes, strict=True):
        kept = labels.emotion_of(row.emotion)
        if kept is None:
            assert index == NO_CLASS
        else:
            expected = str(kept) if target is Target.EMOTION else f"{row.gender}_{kept}"
            assert found.names[index] == expected


def test_left_out_clips_are_counted_once_with_their_reason(make_manifest: Any) -> None:
    manifest = make_manifest(
        [
            {"speaker": "x/0"},
            {"speaker": "x/0", "status": "bad", "gender": "unknown"},
            {"speaker": "x/0", "emotion": "calm", "gender": "unknown"},
            {"speaker": "x/0", "gender": "unknown"},
        ]
    )
    both = targets_of(manifest, label_set("common6"), Target.GENDER_EMOTION)
    assert (both.selection.bad, both.other_emotion, both.unknown_gender) == (1, 1, 1)
    assert (both.classes != NO_CLASS).tolist() == [True, False, False, False]
    assert both.notices == (
        "left out 1 of 4 clips: marked bad in the store",
        "left out 1 of 4 clips: with an emotion that is not in the label set",
        "left out 1 of 4 clips: from speakers of unknown gender",
    )
    emotion = targets_of(manifest, label_set("common6"), Target.EMOTION)
    assert (emotion.classes != NO_CLASS).tolist() == [True, False, False, True]


def test_a_store_without_any_gender_is_refused_for_gender_by_emotion(make_manifest: Any) -> None:
    manifest = make_manifest([{"speaker": "x/0", "gender": "unknown"}] * 2)
    with pytest.raises(RunError, match="left out 2 of 2 clips: from speakers of unknown gender"):
        targets_of(manifest, label_set("common7"), Target.GENDER_EMOTION)


def test_emotion_marginal_adds_the_two_genders_by_name() -> None:
    labels = label_set("common7")
    names = labels.class_names(Target.GENDER_EMOTION)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(14), size=5)
    marginal = emotion_marginal(probabilities, labels, Target.GENDER_EMOTION)
    for i, emotion in enumerate(labels.classes):
        of_emotion = [j for j, name in enumerate(names) if name.endswith(f"_{emotion}")]
        assert len(of_emotion) == 2
        np.testing.assert_allclose(marginal[:, i], probabilities[:, of_emotion].sum(axis=1))
    same = emotion_marginal(probabilities[:, :7], labels, Target.EMOTION)
    np.testing.assert_array_equal(same, probabilities[:, :7])


def test_a_map_trains_on_names_that_a_corpus_declares_and_reports_those_that_no_clip_has(
    make_manifest: Any,
) -> None:
    manifest = make_manifest({"speaker": "x/0", "emotion": e} for e in ("stress", "calm", "neutral", "happy"))
    labels = LabelsSpec(
        set="own", map={"stress": "stress", "calm": "none", "neutral": "none", "angr": "stress"}
    )
    found = targets_of(manifest, labels.label_set(), Target.EMOTION)
    assert found.names == ("stress", "none")
    assert found.classes.tolist() == [0, 1, 1, NO_CLASS]
    assert found.notices == (
        "left out 1 of 4 clips: with an emotion that is not in the label set",
        "the label map names angr, but no clip has this emotion",
    )


def test_a_store_of_other_emotions_says_how_to_train_on_them(make_manifest: Any) -> None:
    manifest = make_manifest({"speaker": "x/0", "emotion": e} for e in ("stress", "no stress"))
    with pytest.raises(
        RunError, match="the clips are no stress, stress: train on all of them with --set labels"
    ):
        targets_of(manifest, label_set("common7"), Target.EMOTION)


def test_clips_with_ratings_alone_have_no_emotion(make_manifest: Any) -> None:
    manifest = make_manifest(
        {"speaker": "x/0", "emotion": emotion, "label": label}
        for emotion, label in (("unknown", ""), ("sad", "sad"), ("unknown", "unknown"), ("angry", "A"))
    )
    assert given_emotions(manifest) == ("sad", "angry", "unknown")
    assert given_emotions(manifest.iloc[[0, 1]]) == ("sad",)
    with pytest.raises(RunError, match="their corpus gives no clip an emotion"):
        targets_of(manifest.iloc[:1], label_set("common7"), Target.EMOTION)


def test_candidates_are_the_usable_clips_of_the_corpora_that_match(make_manifest: Any) -> None:
    manifest = make_manifest(
        [
            {"speaker": "x/0", "emotion": "sad"},
            {"speaker": "x/0", "emotion": "calm", "status": "bad"},
            {"speaker": "y/0", "emotion": "happy"},
            {"speaker": "x/1", "emotion": "angry"},
        ]
    )
    assert candidates(manifest)["emotion"].tolist() == ["sad", "happy", "angry"]
    assert candidates(manifest, datasets=["x"])["emotion"].tolist() == ["sad", "angry"]
    found = candidates(manifest, "emotion != 'sad'", ["x", "z"])
    assert found["emotion"].tolist() == ["angry"]
