from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut

from schemas.errors import SplitError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import (
    cannot_be_shared,
    clips_of,
    corpora,
    ravdess,
    require_sound,
    spoken,
    tess,
)
from training.splits.choose import splits_of
from training.splits.identical import join_identical
from training.splits.split import Split


def folds_of(manifest: Any, protocol: str, seed: int = 0) -> tuple[Split, ...]:
    return splits_of(manifest, SplitSpec.model_validate({"protocol": protocol}), seed)


def require_each_tested_once(splits: tuple[Split, ...], manifest: Any) -> None:
    for split in splits:
        require_sound(split, manifest)
    tested = Counter(clip for split in splits for clip in split.test)
    assert tested == Counter(manifest.loc[manifest["status"] == "ok", "clip_id"])
    assert [split.fold and (split.fold.index, split.fold.count) for split in splits] == [
        (i, len(splits)) for i in range(1, len(splits) + 1)
    ]


@settings(max_examples=40)
@given(clips=corpora(), protocol=st.sampled_from(["loso", "kfold:2", "kfold:5"]), seed=st.integers(0, 99))
def test_every_usable_clip_is_tested_once_and_its_speaker_not_heard_then(
    make_manifest: Any, clips: list[dict[str, Any]], protocol: str, seed: int
) -> None:
    manifest = make_manifest(clips)
    usable = manifest[manifest["status"] == "ok"]
    people = join_identical(usable["speaker"], usable["audio_sha256"]).nunique()
    try:
        splits = folds_of(manifest, protocol, seed)
    except SplitError:
        assert people < (2 if protocol == "loso" else int(protocol[-1])) or cannot_be_shared(usable)
        return
    require_each_tested_once(splits, manifest)
    assert folds_of(manifest.sample(frac=1, random_state=1), protocol, seed) == splits


def test_loso_tests_the_groups_of_scikit_learn(make_manifest: Any) -> None:
    manifest = make_manifest([*ravdess(), *clips_of([("savee", n, "male", 2) for n in range(4)])])
    splits = folds_of(manifest, "loso")
    ids = manifest["clip_id"].to_numpy()
    held_out = LeaveOneGroupOut().split(ids, groups=manifest["speaker"])
    assert {frozenset(split.test) for split in splits} == {frozenset(ids[test]) for _, test in held_out}
    assert [split.fold.name for split in splits if split.fold] == sorted(manifest["speaker"].unique())
    assert splits[2].title == "speaker-independent (protocol: loso, fold 3 of 28)"


def test_kfold_deals_the_speakers_of_each_corpus_and_gender_evenly(make_manifest: Any) -> None:
    manifest = make_manifest([*ravdess(), *clips_of([("cremad", n, "female", 1) for n in range(33)])])
    splits = folds_of(manifest, "kfold:5", 3)
    who = manifest.drop_duplicates("speaker").set_index("speaker")
    strata = who["dataset"] + who["gender"]
    for stratum in strata.unique():
        sizes = [sum(strata[s] == stratum for s in spoken(split, manifest, "test")) for split in splits]
        assert max(sizes) - min(sizes) <= 1
    assert {split.stratified_by for split in splits} == {("dataset", "gender")}
    assert folds_of(manifest, "kfold:5", 4) != splits


def test_adding_a_corpus_changes_neither_who_is_tested_together_nor_who_validates(make_manifest: Any) -> None:
    cremad = clips_of([("cremad", n, "female", 1) for n in range(12)])
    alone = folds_of(make_manifest(ravdess()), "kfold:4")
    both = folds_of(make_manifest([*ravdess(), *cremad]), "kfold:4")
    for one, more in zip(alone, both, strict=True):
        for side in ("validation", "test"):
            assert set(one.side(side)) == {c for c in more.side(side) if c.startswith("ravdess")}


def test_loso_of_two_speakers_validates_in_other_sentences(make_manifest: Any) -> None:
    manifest = make_manifest(tess())
    splits = folds_of(manifest, "loso")
    require_each_tested_once(splits, manifest)
    assert {split.validation_by for split in splits} == {"sentence"}


def test_speakers_with_an_identical_recording_are_tested_together(make_manifest: Any) -> None:
    clips = ravdess()
    clips[0]["audio_sha256"] = clips[-1]["audio_sha256"] = "5a" * 32
    manifest = make_manifest(clips)
    splits = folds_of(manifest, "loso")
    assert len(splits) == 23
    assert splits[0].fold is not None
    assert splits[0].fold.name == "ravdess/01 and ravdess/24"
    require_each_tested_once(splits, manifest)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [("kfold:25", r"needs 25 speakers, but the store has 24; use kfold:K with K up to 24"), ("loso", "")],
)
def test_too_few_speakers_are_told_with_what_would_do(
    make_manifest: Any, protocol: str, message: str
) -> None:
    clips = ravdess() if message else clips_of([("x", 1, "male", 5)])
    with pytest.raises(SplitError, match=message or "loso needs at least two speakers"):
        folds_of(make_manifest(clips), protocol)
