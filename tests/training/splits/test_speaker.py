from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from training.splits.side import SIDES
from training.splits.split import Split

SPEC = SplitSpec()


def split_of(manifest: Any, seed: int = 0, spec: SplitSpec = SPEC) -> Split:
    (split,) = splits_of(manifest, spec, seed)
    return split


@settings(max_examples=60)
@given(clips=corpora(), seed=st.integers(0, 2**40))
def test_no_speaker_or_recording_is_on_two_sides_and_every_usable_clip_on_one(
    make_manifest: Any, clips: list[dict[str, Any]], seed: int
) -> None:
    manifest = make_manifest(clips)
    try:
        split = split_of(manifest, seed)
    except SplitError:
        usable = manifest[manifest["status"] == "ok"]
        people = join_identical(usable["speaker"], usable["audio_sha256"]).nunique()
        assert people < 2 or (people == 2 and cannot_be_shared(usable))
        return
    require_sound(split, manifest)
    shuffled = manifest.sample(frac=1, random_state=1)
    assert split_of(shuffled, seed) == split
    assert split_of(manifest.set_index("path", drop=False), seed) == split


@given(
    n=st.integers(3, 60),
    test=st.floats(0.01, 0.49),
    validation=st.floats(0.01, 0.49),
    seed=st.integers(0, 99),
)
def test_shares_are_counted_in_speakers_of_the_stratum(
    make_manifest: Any, n: int, test: float, validation: float, seed: int
) -> None:
    manifest = make_manifest(clips_of([("x", i, "male", 1) for i in range(n)]))
    split = split_of(manifest, seed, SplitSpec(test=test, validation=validation))
    assert len(split.train) >= 1
    if round(test * n) + round(validation * n) < n:
        assert len(split.test) == max(1, round(test * n))
        assert len(split.validation) == max(1, round(validation * n))


def test_ravdess_is_split_into_eight_two_two_of_each_gender(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    split = split_of(manifest)
    genders = manifest.drop_duplicates("speaker").set_index("speaker")["gender"]
    for side, each in (("train", 8), ("validation", 2), ("test", 2)):
        counts = genders[sorted(spoken(split, manifest, side))].value_counts().to_dict()
        assert counts == {"female": each, "male": each}
    assert split.stratified_by == ("dataset", "gender")
    assert split.title == "speaker-independent (protocol: speaker)"
    assert split.notices == ()


def test_the_draw_is_the_one_that_runs_have_recorded(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    tested = {seed: sorted(spoken(split_of(manifest, seed), manifest, "test")) for seed in (0, 7)}
    assert tested == {
        0: ["ravdess/03", "ravdess/04", "ravdess/08", "ravdess/17"],
        7: ["ravdess/02", "ravdess/07", "ravdess/16", "ravdess/23"],
    }


def test_seed_decides_who_is_tested(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    tested = {frozenset(spoken(split_of(manifest, seed), manifest, "test")) for seed in range(20)}
    assert len(tested) > 15
    assert len(set.union(*map(set, tested))) == 24, "every speaker is tested under some seed"


def test_adding_a_corpus_moves_no_speaker_of_another(make_manifest: Any) -> None:
    alone = split_of(make_manifest(ravdess()), 5)
    savee = clips_of([("savee", n, "male", 2) for n in range(4)])
    both = split_of(make_manifest([*ravdess(), *savee]), 5)
    for side in SIDES:
        assert set(alone.side(side)) == {c for c in both.side(side) if c.startswith("ravdess")}


def test_one_speaker_cannot_be_split_and_says_what_to_do(make_manifest: Any) -> None:
    manifest = make_manifest(clips_of([("tess", 0, "female", 9)]))
    with pytest.raises(SplitError, match=r"1 usable speaker \(tess/00\).*another corpus in addition to tess"):
        split_of(manifest)
    with pytest.raises(SplitError, match="0 usable speakers"):
        split_of(manifest.assign(status="bad"))


def test_of_two_speakers_one_is_tested_and_the_other_validates_in_other_sentences(make_manifest: Any) -> None:
    manifest = make_manifest(tess())
    split = split_of(manifest)
    require_sound(split, manifest)
    assert split.validation_by == "sentence"
    assert [len(split.side(side)) for side in SIDES] == [51, 9, 60]
    assert len(spoken(split, manifest, "validation", "sentence")) == 3
    assert "of sentences that are not in training" in split.notices[0]
    assert split.independence == "speaker-independent"


def test_of_two_speakers_whose_sentences_are_unknown_clips_of_every_emotion_validate(
    make_manifest: Any,
) -> None:
    manifest = make_manifest(clips_of([("x", 0, "male", 30), ("x", 1, "male", 30)]))
    split = split_of(manifest)
    require_sound(split, manifest)
    assert split.validation_by == "clip"
    assert spoken(split, manifest, "validation", "emotion") == spoken(split, manifest, "train", "emotion")
    assert "does not identify its sentences" in split.notices[0]


def test_sentences_of_one_emotion_each_validate_in_every_emotion(make_manifest: Any) -> None:
    """SAVEE's sentences are numbered within an emotion."""
    clips = clips_of([("savee", 0, "male", 30), ("savee", 1, "male", 30)])
    for number, clip in enumerate(clips):
        clip["sentence"] = f"{clip['emotion']}{number % 30}"
    manifest = make_manifest(clips)
    split = split_of(manifest)
    require_sound(split, manifest)
    assert split.validation_by == "sentence"
    emotions = manifest.set_index("clip_id").loc[list(split.validation), "emotion"]
    assert emotions.value_counts().to_dict() == {"happy": 2, "sad": 2, "angry": 2}


def test_tess_beside_ravdess_gives_one_speaker_to_test(make_manifest: Any) -> None:
    manifest = make_manifest([*ravdess(), *tess()])
    split = split_of(manifest)
    assert len({s for s in spoken(split, manifest, "test") if s.startswith("tess")}) == 1
    assert not {s for s in spoken(split, manifest, "validation") if s.startswith("tess")}


def test_four_speakers_of_two_genders_are_drawn_together(make_manifest: Any) -> None:
    people = [("x", 0, "female", 1), ("x", 1, "female", 1), ("x", 2, "male", 1), ("x", 3, "male", 1)]
    split = split_of(make_manifest(clips_of(people)))
    assert split.stratified_by == ("dataset",)
    assert [len(split.side(side)) for side in SIDES] == [2, 1, 1]
    assert "drawn within each corpus" in split.notices[0]


def test_splits_audits_and_metrics_do_not_import_torch() -> None:
    code = (
        "import sys, training.splits.choose, training.audits.audit, training.audits.store_audit, "
        "training.metrics.scores; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
