from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import SplitError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import clips_of, ravdess, require_sound, spoken, tess
from training.splits.choose import splits_of
from training.splits.emobox import FOLDS

SPEC = SplitSpec(protocol="emobox")


def savee() -> list[dict[str, Any]]:
    return [
        {"speaker": f"savee/{name}", "gender": "male", "sentence": f"a{clip:02d}"}
        for name in ("DC", "JE", "JK", "KL")
        for clip in range(5)
    ]


def test_the_folds_of_ravdess_are_the_published_ones(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    splits = splits_of(manifest, SPEC, 0)
    for split in splits:
        require_sound(split, manifest)
        assert split.validation_by == "speaker"
    tested = [{int(s.split("/")[1]) for s in spoken(split, manifest, "test")} for split in splits]
    assert tested == [
        {1, 11, 20, 21},
        {4, 10, 12, 14},
        {8, 9, 19, 23},
        {3, 5, 7, 24},
        {2, 15, 16, 18},
        {6, 13, 17, 22},
    ]
    assert splits[2].title == "speaker-independent (protocol: emobox, fold 3 of 6)"


def test_the_folds_of_savee_leave_one_speaker_out_in_the_published_order(make_manifest: Any) -> None:
    manifest = make_manifest(savee())
    splits = splits_of(manifest, SPEC, 0)
    assert [spoken(split, manifest, "test") for split in splits] == [
        {"savee/JE"},
        {"savee/KL"},
        {"savee/DC"},
        {"savee/JK"},
    ]
    for split in splits:
        require_sound(split, manifest)
        assert len(spoken(split, manifest, "validation")) == 1


@pytest.mark.parametrize("corpus", FOLDS)
def test_every_speaker_of_a_corpus_is_in_one_fold(corpus: str) -> None:
    speakers = [speaker for fold in FOLDS[corpus] for speaker in fold]
    assert len(speakers) == len(set(speakers)) == {"ravdess": 24, "savee": 4, "iemocap": 10}[corpus]


def test_a_fold_of_iemocap_is_a_session(make_manifest: Any) -> None:
    manifest = make_manifest(
        {"speaker": f"iemocap/ses0{session}_{letter}", "emotion": emotion}
        for session in range(1, 6)
        for letter in "fm"
        for emotion in ("happy", "sad")
    )
    splits = splits_of(manifest, SPEC, 0)
    assert [spoken(split, manifest, "test") for split in splits] == [
        {f"iemocap/ses0{session}_f", f"iemocap/ses0{session}_m"} for session in range(1, 6)
    ]


def test_seed_changes_who_validates_and_nobody_who_is_tested(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    one, other = splits_of(manifest, SPEC, 0), splits_of(manifest, SPEC, 1)
    assert [split.test for split in one] == [split.test for split in other]
    assert [split.validation for split in one] != [split.validation for split in other]


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([*ravdess(), *tess()], "but the store has ravdess, tess; choose one with --datasets ravdess"),
        (tess(), "cannot be used for tess: its folds have the same speakers"),
        (clips_of([("cremad", n, "male", 1) for n in range(9)]), "cannot be used for cremad"),
        (clips_of([("emodb", n, "male", 1) for n in range(9)]), "cannot be used for emodb"),
        (
            clips_of([("nemo", n, "male", 1) for n in range(9)]),
            "no folds for nemo, only for iemocap, ravdess",
        ),
        (ravdess()[3:-3], "store lacks ravdess/01, ravdess/24"),
        ([*ravdess(), {"speaker": "ravdess/25"}], "has no fold for ravdess/25"),
    ],
)
def test_what_would_not_be_comparable_is_refused(
    make_manifest: Any, clips: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(SplitError, match=message):
        splits_of(make_manifest(clips), SPEC, 0)


def test_a_recording_in_two_folds_is_refused(make_manifest: Any) -> None:
    clips = ravdess()
    clips[0]["audio_sha256"] = clips[-1]["audio_sha256"] = "5a" * 32
    with pytest.raises(SplitError, match="ravdess/01 and ravdess/24 share a recording"):
        splits_of(make_manifest(clips), SPEC, 0)
