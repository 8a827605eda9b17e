"""Clips that share sound, against all pairs of intervals."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.protocol import SplitSpec
from tests.training.audits.test_audit import samples_of, verdicts
from training.audits.audit import audit
from training.splits.choose import splits_of
from training.splits.side import SIDES
from training.splits.sounds import sounds_of
from training.splits.split import Split

cuts = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 5) | st.none()),
    min_size=1,
    max_size=12,
)


def frame(rows: list[tuple[str, int | None, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["audio_sha256", "start_s", "end_s"]).astype(
        {"start_s": float, "end_s": float}
    )


@given(cuts)
def test_clips_share_sound_if_a_chain_of_overlaps_joins_them(made: list[tuple[str, int, int | None]]) -> None:
    rows = [(digest, start, None if length is None else start + length) for digest, start, length in made]
    group = list(range(len(rows)))
    for _ in rows:
        for i, (one, start, end) in enumerate(rows):
            for j, (other, begin, until) in enumerate(rows):
                overlaps = start < (until or 1e9) and begin < (end or 1e9)
                if one == other and overlaps:
                    group[i] = group[j] = min(group[i], group[j])
    found = sounds_of(frame(rows)).tolist()
    for i, _ in enumerate(rows):
        for j, _ in enumerate(rows):
            assert (found[i] == found[j]) == (group[i] == group[j])


def test_whole_recordings_have_their_hash() -> None:
    clips = frame([("a", 0.5, 1.0), ("a", None, None), ("b", None, None), (None, 1.0, 2.0), ("", 1.0, 2.0)])
    assert sounds_of(clips).tolist()[:3] == ["a from 0.0 s", "a from 0.0 s", "b"]
    assert (sounds_of(clips).iloc[3:].fillna("") == "").all()
    assert sounds_of(clips[["audio_sha256"]]).tolist()[:3] == ["a", "a", "b"]


@pytest.fixture
def dialogues(make_manifest: Any) -> pd.DataFrame:
    """Six recordings of two speakers each, four segments of a second per speaker, in turns."""
    manifest = make_manifest(
        {"speaker": f"x/{2 * recording + turn % 2}", "emotion": ("sad", "happy")[turn // 4]}
        for recording in range(6)
        for turn in range(8)
    )
    recording = manifest["row"] // 8
    start = (manifest["row"] % 8).astype(float)
    return manifest.assign(
        audio_sha256=recording.map(lambda n: f"{n:064x}"),
        path=recording.map(lambda n: f"r{n}.wav"),
        start_s=start,
        end_s=start + 1,
    )


def test_segments_of_a_recording_on_two_sides_are_reported_as_that(dialogues: pd.DataFrame) -> None:
    (split,) = splits_of(dialogues, SplitSpec(), 0)
    found = audit(split, dialogues, samples_of(split, dialogues), ())
    found.require_clean()
    assert {"segments", "clip overlap", "audio overlap"} <= {check.name for check in found.checks}
    assert verdicts(found, "leak") == verdicts(found, "admitted") == set()
    (check,) = [check for check in found.checks if check.name == "segments"]
    sides = {clip: side for side in SIDES for clip in split.side(side)}
    of = dialogues.assign(side=dialogues["clip_id"].map(sides)).groupby("path")["side"].nunique()
    assert check.count == (of > 1).sum() > 0
    assert check.verdict == "reported"
    (notice,) = found.notices
    assert notice.startswith(f"segments of {check.count} recording")
    assert "x/r" in notice
    assert not found.leaks_at_all


def test_overlapping_segments_keep_their_speakers_on_one_side(dialogues: pd.DataFrame) -> None:
    overlapping = dialogues.assign(end_s=dialogues["start_s"] + 1.2)
    (split,) = splits_of(overlapping, SplitSpec(), 0)
    found = audit(split, overlapping, samples_of(split, overlapping), ())
    assert not found.leaks_at_all
    assert found.notices == ()
    assert "segments" in verdicts(found, "clean")


def test_overlapping_segments_on_two_sides_leak(dialogues: pd.DataFrame) -> None:
    (split,) = splits_of(dialogues, SplitSpec(), 0)
    overlapping = dialogues.assign(end_s=dialogues["start_s"] + 1.2)
    found = audit(split, overlapping, samples_of(split, overlapping), ())
    assert verdicts(found, "leak") == {"audio overlap"}


def test_segments_on_one_side_are_no_copies(make_manifest: Any) -> None:
    manifest = make_manifest({"speaker": f"x/{n // 3}"} for n in range(24))
    start = (manifest["row"] % 3).astype(float)
    manifest = manifest.assign(audio_sha256=(manifest["row"] // 3).map(str), start_s=start, end_s=start + 1)
    (split,) = splits_of(manifest, SplitSpec(), 0)
    found = audit(split, manifest, samples_of(split, manifest), ())
    assert "segments" in verdicts(found, "clean")
    assert not found.leaks_at_all


def test_the_protocol_random_keeps_segments_of_a_recording_together(dialogues: pd.DataFrame) -> None:
    (split,) = splits_of(dialogues, SplitSpec(protocol="random"), 0)
    assert isinstance(split, Split)
    found = audit(split, dialogues, samples_of(split, dialogues), ())
    assert "segments" in verdicts(found, "clean")
