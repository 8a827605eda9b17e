from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from schemas.errors import LeakageError
from schemas.protocol import SplitSpec
from training.audit import Audit, audit
from training.samples import SIDES, Samples, Side, cross
from training.split import Split, speaker_split


@pytest.fixture
def manifest(make_manifest: Any) -> pd.DataFrame:
    return make_manifest(
        {"speaker": f"x/{speaker:02d}", "sentence": f"s{clip}"} for speaker in range(8) for clip in range(3)
    )


@pytest.fixture
def split(manifest: pd.DataFrame) -> Split:
    return speaker_split(manifest, SplitSpec(), 0)


def samples_of(split: Split, manifest: pd.DataFrame) -> dict[Side, Samples]:
    def read(side: Side, views: tuple[int, ...]) -> Samples:
        clips = split.positions(manifest, side)
        return cross(clips, np.zeros(len(clips), dtype=np.int64), views)

    return {side: read(side, (0, 1, 2) if side == "train" else (0,)) for side in SIDES}


def leaks(found: Audit) -> set[str]:
    return {check.name for check in found.checks if check.verdict == "leak"}


def test_an_honest_split_is_clean_and_counted(split: Split, manifest: pd.DataFrame) -> None:
    found = audit(split, manifest, samples_of(split, manifest))
    found.require_clean()
    assert found.to_json()["clean"] is True
    assert found.clips == {"train": 18, "validation": 3, "test": 3}
    assert found.speakers == {"train": 6, "validation": 1, "test": 1}
    assert found.samples == {"train": 54, "validation": 3, "test": 3}


def test_a_speaker_on_two_sides_is_refused_by_name(split: Split, manifest: pd.DataFrame) -> None:
    moved = split.test[0]
    leaky = replace(split, train=(*split.train, moved), test=split.test[1:])
    found = audit(leaky, manifest, samples_of(leaky, manifest))
    assert leaks(found) == {"speaker overlap"}
    speaker = moved.rsplit("-", 1)[0]
    with pytest.raises(LeakageError, match=f"speaker overlap: {speaker} is on train .* and test"):
        found.require_clean()


def test_a_clip_on_two_sides_is_refused(split: Split, manifest: pd.DataFrame) -> None:
    leaky = replace(split, train=(*split.train, split.test[0]))
    found = audit(leaky, manifest, samples_of(leaky, manifest))
    assert {"clip overlap", "speaker overlap", "audio overlap"} <= leaks(found)


def test_a_recording_under_two_speakers_on_two_sides_is_refused(split: Split, manifest: pd.DataFrame) -> None:
    one, two = split.train[0], split.test[0]
    manifest.loc[manifest["clip_id"].isin([one, two]), "audio_sha256"] = "twin"
    copied = replace(split, audio_sha256={**split.audio_sha256, one: "twin", two: "twin"})
    found = audit(copied, manifest, samples_of(copied, manifest))
    assert leaks(found) == {"audio overlap"}
    with pytest.raises(LeakageError, match="twin is on train"):
        found.require_clean()


def test_a_recording_that_changed_since_the_split_is_refused(split: Split, manifest: pd.DataFrame) -> None:
    manifest.loc[0, "audio_sha256"] = "another recording"
    found = audit(split, manifest, samples_of(split, manifest))
    assert leaks(found) == {"recordings"}
    assert found.checks[3].offenders == (f"{manifest['clip_id'][0]} is gone or holds another recording",)


@pytest.mark.parametrize("side", ["validation", "test"])
def test_an_augmented_view_in_validation_or_test_is_refused(
    side: Side, split: Split, manifest: pd.DataFrame
) -> None:
    samples = samples_of(split, manifest)
    samples[side] = replace(samples[side], views=np.array([0, 4, 0]))
    found = audit(split, manifest, samples)
    assert leaks(found) == {"view source"}
    with pytest.raises(LeakageError, match=f"view 4 of .* is read in {side}"):
        found.require_clean()


def test_a_view_of_a_test_clip_in_training_is_refused(split: Split, manifest: pd.DataFrame) -> None:
    samples = samples_of(split, manifest)
    clips = samples["train"].clips.copy()
    clips[-1] = samples["test"].clips[0]
    samples["train"] = replace(samples["train"], clips=clips)
    found = audit(split, manifest, samples)
    assert leaks(found) == {"view source"}
    with pytest.raises(LeakageError, match=r"view 2 of .* is read in train, which the clip is not part of"):
        found.require_clean()


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
