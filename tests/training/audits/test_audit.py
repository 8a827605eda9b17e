from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import LeakageError, SplitError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import corpora, ravdess, tess
from training.audits.audit import Audit, audit
from training.audits.near_duplicates import Pair
from training.samples.samples import Samples, cross
from training.splits.choose import splits_of
from training.splits.side import SIDES, Side
from training.splits.split import Split


@pytest.fixture
def manifest(make_manifest: Any) -> pd.DataFrame:
    return make_manifest(
        {"speaker": f"x/{speaker:02d}", "sentence": f"s{clip}"} for speaker in range(8) for clip in range(3)
    )


@pytest.fixture
def split(manifest: pd.DataFrame) -> Split:
    (split,) = splits_of(manifest, SplitSpec(), 0)
    return split


def samples_of(split: Split, manifest: pd.DataFrame) -> dict[Side, Samples]:
    def read(side: Side) -> Samples:
        clips, views = split.view_positions(manifest, side)
        if split.views is None and side == "train":
            return cross(clips, np.zeros(len(clips), dtype=np.int64), (0, 1, 2))
        return Samples(clips, views, np.zeros(len(clips), dtype=np.int64))

    return {side: read(side) for side in SIDES}


def verdicts(found: Audit, verdict: str) -> set[str]:
    return {check.name for check in found.checks if check.verdict == verdict}


def test_an_honest_split_is_clean_and_counted(split: Split, manifest: pd.DataFrame) -> None:
    found = audit(split, manifest, samples_of(split, manifest), ())
    found.require_clean()
    assert found.to_json()["clean"] is True
    assert not found.leaks_at_all
    assert found.clips == {"train": 18, "validation": 3, "test": 3}
    assert found.speakers == {"train": 6, "validation": 1, "test": 1}
    assert found.samples == {"train": 54, "validation": 3, "test": 3}
    assert [check.name for check in found.checks] == [
        "clip overlap",
        "speaker overlap",
        "audio overlap",
        "recordings",
        "view source",
        "near-duplicates",
        "sentence overlap",
    ]


def test_near_duplicates_that_were_not_looked_for_are_not_called_clean(
    split: Split, manifest: pd.DataFrame
) -> None:
    found = audit(split, manifest, samples_of(split, manifest))
    assert "near-duplicates" not in {check.name for check in found.checks}


Plant = Callable[[Split, pd.DataFrame, dict[Side, Samples]], tuple[Split, pd.DataFrame, Any]]


def clip_in_test_too(split: Split, manifest: pd.DataFrame, _: Any) -> tuple[Split, pd.DataFrame, Any]:
    return replace(split, test=(*split.test, split.train[0])), manifest, ()


def speaker_moved(split: Split, manifest: pd.DataFrame, _: Any) -> tuple[Split, pd.DataFrame, Any]:
    clip = split.train[0]
    of_test = manifest.set_index("clip_id").loc[split.test[0], "speaker"]
    return split, manifest.assign(speaker=manifest["speaker"].where(manifest["clip_id"] != clip, of_test)), ()


def recording_copied(split: Split, manifest: pd.DataFrame, _: Any) -> tuple[Split, pd.DataFrame, Any]:
    pair = (split.train[0], split.test[-1])
    twin = manifest["audio_sha256"].where(~manifest["clip_id"].isin(pair), "5a" * 32)
    hashes = {**split.audio_sha256, **dict.fromkeys(pair, "5a" * 32)}
    return replace(split, audio_sha256=hashes), manifest.assign(audio_sha256=twin), ()


def recording_changed(split: Split, manifest: pd.DataFrame, _: Any) -> tuple[Split, pd.DataFrame, Any]:
    changed = manifest["audio_sha256"].where(manifest["clip_id"] != split.validation[0], "another recording")
    return split, manifest.assign(audio_sha256=changed), ()


def sound_copied(split: Split, manifest: pd.DataFrame, _: Any) -> tuple[Split, pd.DataFrame, Any]:
    return split, manifest, (Pair(split.test[0], split.validation[0], 0.2),)


def view_of_a_test_clip_trained_on(
    split: Split, manifest: pd.DataFrame, samples: dict[Side, Samples]
) -> tuple[Split, pd.DataFrame, Any]:
    clips = samples["train"].clips.copy()
    clips[-1] = samples["test"].clips[0]
    samples["train"] = replace(samples["train"], clips=clips)
    return split, manifest, ()


def augmented_view_tested(
    split: Split, manifest: pd.DataFrame, samples: dict[Side, Samples]
) -> tuple[Split, pd.DataFrame, Any]:
    views = samples["test"].views.copy()
    views[0] = 2
    samples["test"] = replace(samples["test"], views=views)
    return split, manifest, ()


PLANTS: dict[str, Plant] = {
    "clip overlap": clip_in_test_too,
    "speaker overlap": speaker_moved,
    "audio overlap": recording_copied,
    "recordings": recording_changed,
    "near-duplicates": sound_copied,
    "view source": view_of_a_test_clip_trained_on,
    "view source, augmented": augmented_view_tested,
}


@settings(max_examples=60)
@given(
    clips=corpora(),
    seed=st.integers(0, 99),
    protocol=st.sampled_from(["speaker", "loso", "kfold:2"]),
    kind=st.sampled_from(sorted(PLANTS)),
)
def test_every_planted_leak_is_found_and_nothing_in_the_split_that_was_drawn(
    make_manifest: Any, clips: list[dict[str, Any]], seed: int, protocol: str, kind: str
) -> None:
    manifest = make_manifest(clips)
    try:
        split = splits_of(manifest, SplitSpec.model_validate({"protocol": protocol}), seed)[-1]
    except SplitError:
        return
    samples = samples_of(split, manifest)
    found = audit(split, manifest, samples, ())
    assert not found.leaks
    # Of speakers with a clip each, validation by clips may share none.
    admitted = set() if split.validation_by == "speaker" else {"speaker overlap"}
    assert verdicts(found, "admitted") <= admitted
    leaky, changed, pairs = PLANTS[kind](split, manifest, samples)
    found = audit(leaky, changed, samples, pairs)
    assert kind.split(",")[0] in verdicts(found, "leak")
    with pytest.raises(LeakageError, match=kind.split(",")[0]):
        found.require_clean()


def test_a_speaker_on_two_sides_is_refused_by_name(split: Split, manifest: pd.DataFrame) -> None:
    moved = split.test[0]
    leaky = replace(split, train=(*split.train, moved), test=split.test[1:])
    found = audit(leaky, manifest, samples_of(leaky, manifest))
    assert verdicts(found, "leak") == {"speaker overlap"}
    speaker = moved.rsplit("-", 1)[0]
    with pytest.raises(LeakageError, match=rf"speaker overlap: {speaker} is on train \(.* and test \("):
        found.require_clean()


def test_a_recording_under_two_speakers_on_two_sides_is_named(split: Split, manifest: pd.DataFrame) -> None:
    copied, changed, _ = recording_copied(split, manifest, None)
    found = audit(copied, changed, samples_of(copied, changed), ())
    assert verdicts(found, "leak") == {"audio overlap"}
    with pytest.raises(LeakageError, match=f"{'5a' * 32} is on train"):
        found.require_clean()


def test_copies_under_other_names_are_refused_and_the_next_step_told(
    split: Split, manifest: pd.DataFrame
) -> None:
    found = audit(split, manifest, samples_of(split, manifest), (Pair(split.train[0], split.test[0], 0.31),))
    assert verdicts(found, "leak") == {"near-duplicates"}
    with pytest.raises(
        LeakageError, match=r"sound the same \(0.31 dB apart\).*[Rr]emove one copy of each pair"
    ):
        found.require_clean()


def test_copies_that_the_recipe_lets_pass_are_admitted_and_told(split: Split, manifest: pd.DataFrame) -> None:
    pair = Pair(split.train[0], split.test[0], 0.9)
    found = audit(split, manifest, samples_of(split, manifest), [pair], "report")
    found.require_clean()
    assert verdicts(found, "admitted") == {"near-duplicates"}
    assert found.leaks_at_all
    (notice,) = found.notices
    assert notice.startswith(f"1 pair of clips on different sides sounds the same: {split.train[0]}")
    refused = audit(split, manifest, samples_of(split, manifest), [pair])
    assert refused.notices == ()
    with pytest.raises(LeakageError, match=r"accept them with --set split\.near_duplicates=report"):
        refused.require_clean()


def test_copies_on_one_side_and_identical_files_are_not_counted_as_near_duplicates(
    split: Split, manifest: pd.DataFrame
) -> None:
    beside = (Pair(split.train[0], split.train[1], 0.1), Pair(split.train[0], "x/gone", 0.1))
    assert not audit(split, manifest, samples_of(split, manifest), beside).leaks
    copied, changed, _ = recording_copied(split, manifest, None)
    same = (Pair(split.train[0], split.test[-1], 0.0),)
    assert verdicts(audit(copied, changed, samples_of(copied, changed), same), "leak") == {"audio overlap"}


@pytest.mark.parametrize("side", ["validation", "test"])
def test_an_augmented_view_in_validation_or_test_is_refused(
    side: Side, split: Split, manifest: pd.DataFrame
) -> None:
    samples = samples_of(split, manifest)
    samples[side] = replace(samples[side], views=np.array([0, 4, 0]))
    found = audit(split, manifest, samples)
    assert verdicts(found, "leak") == {"view source"}
    with pytest.raises(LeakageError, match=f"view 4 of .* is read in {side}"):
        found.require_clean()


def test_random_admits_speakers_and_no_recordings(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    (split,) = splits_of(manifest, SplitSpec(protocol="random"), 0)
    found = audit(split, manifest, samples_of(split, manifest), ())
    found.require_clean()
    assert verdicts(found, "admitted") == {"speaker overlap"}
    assert found.leaks_at_all
    assert found.to_json()["clean"] is False
    leaky, changed, _ = recording_copied(split, manifest, None)
    assert "audio overlap" in verdicts(audit(leaky, changed, samples_of(leaky, changed), ()), "leak")


def test_leaked_views_admit_recordings_but_no_sample_on_two_sides(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    (split,) = splits_of(manifest, SplitSpec(protocol="random", leak_views=True), 0, views=(0, 1, 2))
    samples = samples_of(split, manifest)
    found = audit(split, manifest, samples, (Pair(*sorted((split.train[0], split.test[-1])), 0.1),))
    found.require_clean()
    assert verdicts(found, "admitted") == {
        "clip overlap",
        "speaker overlap",
        "audio overlap",
        "view source",
        "near-duplicates",
    }
    samples["test"] = samples["train"]
    with pytest.raises(LeakageError, match="is read in test, but was not drawn for that side"):
        audit(split, manifest, samples).require_clean()
    assert split.views is not None
    twice = replace(split, views={**split.views, "test": split.views["train"]}, test=split.train)
    with pytest.raises(LeakageError, match=r"view \d of ravdess/.* is on train and test"):
        audit(twice, manifest, samples_of(twice, manifest)).require_clean()


def test_speakers_shared_with_validation_are_admitted_and_with_the_test_refused(make_manifest: Any) -> None:
    manifest = make_manifest(tess())
    (split,) = splits_of(manifest, SplitSpec(), 0)
    found = audit(split, manifest, samples_of(split, manifest), ())
    found.require_clean()
    assert verdicts(found, "admitted") == {"speaker overlap"}
    moved = replace(split, train=split.train[1:], test=(*split.test, split.train[0]))
    found = audit(moved, manifest, samples_of(moved, manifest), ())
    assert verdicts(found, "leak") == {"speaker overlap"}


def test_offenders_without_number_are_counted_and_the_first_named(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess(30))
    (split,) = splits_of(manifest, SplitSpec(), 0)
    none = manifest.iloc[:0]
    (check,) = audit(split, none, samples_of(split, none)).leaks
    assert (check.count, len(check.offenders)) == (720, 100)


def test_shared_sentences_are_reported_and_not_refused(split: Split, manifest: pd.DataFrame) -> None:
    found = audit(split, manifest, samples_of(split, manifest))
    check = found.checks[-1]
    assert (check.name, check.verdict) == ("sentence overlap", "reported")
    assert check.offenders == ("x: 3 sentences, in 6 of 6 validation and test clips",)
    assert (found.test_sentences_heard, found.test_sentences) == (3, 3)
    manifest["sentence"] = manifest["clip_id"]
    apart = audit(split, manifest, samples_of(split, manifest))
    assert apart.checks[-1].offenders == ()
    assert (apart.test_sentences_heard, apart.test_sentences) == (0, 3)
    manifest["sentence"] = ""
    assert audit(split, manifest, samples_of(split, manifest)).test_sentences == 0
