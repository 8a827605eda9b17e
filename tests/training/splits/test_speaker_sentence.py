"""The protocol ``speaker+sentence`` on random manifests and on those of known corpora."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SplitError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import clips_of, ravdess, spoken, tess
from training.audits.audit import audit
from training.splits.choose import splits_of
from training.splits.side import SIDES
from training.splits.split import Split


def drawn(manifest: pd.DataFrame, groups: int, seed: int = 0) -> tuple[Split, ...]:
    spec = SplitSpec.model_validate({"protocol": f"speaker+sentence:{groups}"})
    return splits_of(manifest, spec, seed)


def require_reason(refused: SplitError, reasons: tuple[str, ...]) -> None:
    assert any(reason in str(refused) for reason in reasons), refused


def require_apart(split: Split, manifest: pd.DataFrame) -> None:
    """No side empty, and of each corpus no speaker, sentence or recording both in the test and elsewhere."""
    told = manifest.assign(sentence=manifest["dataset"] + "/" + manifest["sentence"])
    for column in ("speaker", "sentence", "audio_sha256"):
        sides = {side: spoken(split, told, side, column) for side in SIDES}
        assert all(sides.values())
        assert not sides["test"] & (sides["train"] | sides["validation"]), column
    assert not set(split.train) & set(split.validation)
    assert Split.from_json(split.to_json()) == split


def cremad(speakers: int = 10) -> list[dict[str, Any]]:
    return clips_of([("cremad", n, "male" if n % 2 else "female", 36) for n in range(speakers)], 12)


def savee() -> list[dict[str, Any]]:
    """Four men whose sentences have one emotion each."""
    clips = clips_of([("savee", n, "male", 15) for n in range(4)], 5)
    return [{**clip, "sentence": f"{clip['emotion']}-{clip['sentence']}"} for clip in clips]


@settings(max_examples=15)
@given(
    sizes=st.lists(st.integers(6, 30), min_size=2, max_size=12),
    sentences=st.integers(2, 8),
    groups=st.integers(2, 4),
    seed=st.integers(0, 99),
)
@pytest.mark.slow
def test_each_clip_is_tested_once_after_training_without_its_speaker_and_sentence(
    make_manifest: Any, sizes: list[int], sentences: int, groups: int, seed: int
) -> None:
    people = [("ravdess", n, "male" if n % 3 else "female", size) for n, size in enumerate(sizes)]
    manifest = make_manifest(clips_of(people, sentences))
    try:
        splits = drawn(manifest, groups, seed)
    except SplitError as refused:
        reasons = ("speakers, but the store has", "do not have two different recordings", "finds no clips")
        require_reason(refused, reasons)
        return
    for split in splits:
        require_apart(split, manifest)
    assert len(splits) == 2 * groups
    assert Counter(clip for split in splits for clip in split.test) == Counter(manifest["clip_id"])
    assert drawn(manifest.sample(frac=1, random_state=1), groups, seed) == splits


def test_ravdess_trains_on_one_sentence_and_is_tested_on_the_other(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess(6))
    splits = drawn(manifest, 6)
    assert [split.fold and split.fold.name for split in splits[:3]] == ["1.1", "1.2", "2.1"]
    for split in splits:
        require_apart(split, manifest)
        assert len(spoken(split, manifest, "test", "sentence")) == 1
        assert spoken(split, manifest, "train", "sentence") == spoken(
            split, manifest, "validation", "sentence"
        )
        assert len(spoken(split, manifest, "test")) == 4
    assert splits[0].title == ("speaker- and sentence-independent (protocol: speaker+sentence, fold 1 of 12)")


@pytest.mark.parametrize("corpus", [cremad, savee, lambda: [*cremad(), *savee()]])
def test_validation_has_sentences_of_its_own_where_there_are_enough(make_manifest: Any, corpus: Any) -> None:
    manifest = make_manifest(corpus())
    for split in drawn(manifest, 4):
        require_apart(split, manifest)
        told = {side: spoken(split, manifest, side, "sentence") for side in SIDES}
        assert not told["train"] & told["validation"]
        assert not spoken(split, manifest, "train") & spoken(split, manifest, "validation")
        assert spoken(split, manifest, "train", "emotion") == spoken(split, manifest, "test", "emotion")


def test_with_two_speakers_validation_has_other_sentences_of_the_training_speaker(make_manifest: Any) -> None:
    manifest = make_manifest(tess())
    for split in drawn(manifest, 2):
        require_apart(split, manifest)
        assert split.validation_by == "sentence"
        told = {side: spoken(split, manifest, side, "sentence") for side in ("train", "validation")}
        assert not told["train"] & told["validation"]


def test_sentences_with_identical_recordings_count_as_one(make_manifest: Any) -> None:
    clips = cremad()
    clips[0]["audio_sha256"] = clips[3]["audio_sha256"] = "5a" * 32  # s0 and s1 of one speaker
    manifest = make_manifest(clips)
    for split in drawn(manifest, 2):
        require_apart(split, manifest)
        placed = [side for side in SIDES for clip in manifest["clip_id"][[0, 3]] if clip in split.side(side)]
        assert len(set(placed)) <= 1


def test_a_corpus_without_sentences_is_refused(make_manifest: Any) -> None:
    manifest = make_manifest(clips_of([("calls", n, "male", 4) for n in range(4)]))
    with pytest.raises(
        SplitError, match=r"which calls does not tell; .*--datasets, or use --protocol kfold:K"
    ):
        drawn(manifest, 2)
    one = make_manifest(clips_of([("calls", n, "male", 4) for n in range(4)], 1))
    with pytest.raises(SplitError, match=r"needs two sentences, but calls has 1 sentence;"):
        drawn(one, 2)
    with pytest.raises(
        SplitError, match=r"needs 9 speakers, but the store has 4; use speaker\+sentence:K with"
    ):
        drawn(make_manifest(clips_of([("calls", n, "male", 8) for n in range(4)], 2)), 9)


def test_the_audit_finds_a_test_sentence_in_training(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess(6))
    split = drawn(manifest, 6)[0]
    assert audit(split, manifest, {}).leaks == ()
    assert audit(split, manifest, {}).test_sentences_heard == 0
    moved = manifest.assign(sentence="s0")
    (leak,) = audit(split, moved, {}).leaks
    assert leak.name == "sentence overlap"
    assert "ravdess: 1 sentence" in leak.offenders[0]
