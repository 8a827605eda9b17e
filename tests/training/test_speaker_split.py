from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RunError, SplitError
from schemas.protocol import SplitSpec
from training.samples import SIDES
from training.split import Split, speaker_split

SPEC = SplitSpec()

PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["ravdess", "tess", "savee", "cremad"]),
        st.integers(0, 40),
        st.sampled_from(["female", "male", "unknown"]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda person: person[:2],
)


def clips_of(people: list[tuple[str, int, str, int]]) -> list[dict[str, Any]]:
    return [
        {"speaker": f"{dataset}/{number:02d}", "gender": gender}
        for dataset, number, gender, count in people
        for _ in range(count)
    ]


def ravdess() -> list[dict[str, Any]]:
    return clips_of([("ravdess", n, "male" if n % 2 else "female", 3) for n in range(1, 25)])


def speakers(split: Split, manifest: pd.DataFrame, side: Any) -> set[str]:
    return set(manifest.set_index("clip_id").loc[list(split.side(side)), "speaker"])


@given(people=PEOPLE, seed=st.integers(0, 2**40), bad=st.integers(0, 5), shared=st.integers(0, 4))
def test_no_speaker_or_recording_is_on_two_sides_and_every_usable_clip_on_one(
    make_manifest: Any, people: list[Any], seed: int, bad: int, shared: int
) -> None:
    clips = clips_of(people)
    for clip in clips[:bad]:
        clip["status"] = "bad"
    for clip in clips[bad :: max(1, len(clips) // (shared + 1))][:shared]:
        clip["audio_sha256"] = "same"
    manifest = make_manifest(clips)
    try:
        split = speaker_split(manifest, SPEC, seed)
    except SplitError:
        usable = manifest[manifest["status"] == "ok"]
        joined = usable.loc[usable["audio_sha256"] == "same", "speaker"].nunique()
        assert usable["speaker"].nunique() - max(0, joined - 1) < 3
        return
    placed = [*split.train, *split.validation, *split.test]
    assert sorted(placed) == sorted(manifest.loc[manifest["status"] == "ok", "clip_id"])
    by_id = manifest.set_index("clip_id")
    for column in ("speaker", "audio_sha256"):
        sides = [set(by_id.loc[list(split.side(side)), column]) for side in SIDES]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides))
    assert speaker_split(manifest.sample(frac=1, random_state=1), SPEC, seed) == split


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
    split = speaker_split(manifest, SplitSpec(test=test, validation=validation), seed)
    assert len(split.train) >= 1
    if round(test * n) + round(validation * n) < n:
        assert len(split.test) == max(1, round(test * n))
        assert len(split.validation) == max(1, round(validation * n))


def test_ravdess_is_split_into_eight_two_two_of_each_gender(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    split = speaker_split(manifest, SPEC, 0)
    genders = manifest.drop_duplicates("speaker").set_index("speaker")["gender"]
    for side, each in (("train", 8), ("validation", 2), ("test", 2)):
        assert genders[list(speakers(split, manifest, side))].value_counts().to_dict() == {
            "female": each,
            "male": each,
        }
    assert split.stratified_by == ("dataset", "gender")


def test_seed_decides_who_is_tested(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    tested = {
        frozenset(speakers(speaker_split(manifest, SPEC, seed), manifest, "test")) for seed in range(20)
    }
    assert len(tested) > 15
    assert len(set.union(*map(set, tested))) == 24, "every speaker is tested under some seed"


def test_adding_a_corpus_moves_no_speaker_of_another(make_manifest: Any) -> None:
    alone = speaker_split(make_manifest(ravdess()), SPEC, 5)
    savee = clips_of([("savee", n, "male", 2) for n in range(4)])
    both = speaker_split(make_manifest([*ravdess(), *savee]), SPEC, 5)
    for side in SIDES:
        assert set(alone.side(side)) == {c for c in both.side(side) if c.startswith("ravdess")}


def test_tess_alone_cannot_be_split_and_says_what_to_do(make_manifest: Any) -> None:
    manifest = make_manifest(clips_of([("tess", 0, "female", 9), ("tess", 1, "female", 9)]))
    with pytest.raises(
        SplitError, match=r"2 usable speakers \(tess/00, tess/01\).*another corpus beside tess"
    ):
        speaker_split(manifest, SPEC, 0)


def test_tess_beside_ravdess_gives_one_speaker_to_test(make_manifest: Any) -> None:
    tess = clips_of([("tess", 0, "female", 9), ("tess", 1, "female", 9)])
    manifest = make_manifest([*ravdess(), *tess])
    split = speaker_split(manifest, SPEC, 0)
    assert len({s for s in speakers(split, manifest, "test") if s.startswith("tess")}) == 1
    assert not {s for s in speakers(split, manifest, "validation") if s.startswith("tess")}


def test_four_speakers_of_two_genders_are_drawn_together(make_manifest: Any) -> None:
    people = [("x", 0, "female", 1), ("x", 1, "female", 1), ("x", 2, "male", 1), ("x", 3, "male", 1)]
    split = speaker_split(make_manifest(clips_of(people)), SPEC, 0)
    assert split.stratified_by == ("dataset",)
    assert [len(split.side(side)) for side in SIDES] == [2, 1, 1]


def test_split_survives_json(make_manifest: Any) -> None:
    split = speaker_split(make_manifest(ravdess()), SPEC, 1, "sha256:abc")
    assert Split.from_json(json.loads(json.dumps(split.to_json()))) == split
    with pytest.raises(RunError, match="not a split"):
        Split.from_json({"protocol": "speaker"})


def test_changed_and_missing_recordings_are_named(make_manifest: Any) -> None:
    manifest = make_manifest(ravdess())
    split = speaker_split(manifest, SPEC, 1)
    assert split.changed(manifest) == ()
    manifest.loc[4, "audio_sha256"] = "other"
    manifest.loc[5, "status"] = "bad"
    gone = manifest["clip_id"][6]
    assert split.changed(manifest.drop(6)) == tuple(sorted([*manifest["clip_id"][4:6], gone]))


def test_splits_audits_and_metrics_do_not_import_torch() -> None:
    code = "import sys, training.split, training.audit, training.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
