"""Entries find their clips by id, path and stem, and never guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from featurestore.imports.match import Matches, match_entries
from featurestore.imports.source import Entry
from schemas.errors import FeatureSourceError


@dataclass(frozen=True)
class _Clip:
    clip_id: str
    dataset: str
    path: str
    start_s: float | None = None
    end_s: float | None = None


CLIPS = (
    _Clip("one/a1", "one", "Actor_01/a1.wav"),
    _Clip("one/b1", "one", "Actor_01/b.1.flac"),
    _Clip("two/a1", "two", "x/a1.wav"),
    _Clip("two/ü2", "two", "x/ü2.wav"),
)


def _match(*keys: str) -> Matches:
    entries = [Entry(key, (1,), lambda: np.zeros(1)) for key in keys]
    return match_entries(entries, CLIPS, [clip.clip_id for clip in CLIPS])


@pytest.mark.parametrize(
    ("key", "clip_id"),
    [
        ("one/a1", "one/a1"),
        ("Actor_01/a1.wav", "one/a1"),
        ("Actor_01/a1", "one/a1"),
        ("Actor_01\\a1.wav", "one/a1"),
        ("/home/me/one/Actor_01/a1.wav", "one/a1"),
        ("C:\\data\\x\\a1.wav", "two/a1"),
        ("./x/a1.mp3", "two/a1"),
        ("b.1", "one/b1"),
        ("b.1.npy", "one/b1"),
        ("elsewhere/b1.wav", "one/b1"),
        ("u\u03082.wav", "two/ü2"),
    ],
)
def test_a_name_finds_its_clip(key: str, clip_id: str) -> None:
    assert list(_match(key).entries) == [clip_id]


def test_a_stem_that_fits_two_clips_names_both() -> None:
    with pytest.raises(FeatureSourceError, match="'a1' fits several clips, such as one/a1 and two/a1"):
        _match("a1")


def test_two_entries_for_one_clip_are_named() -> None:
    with pytest.raises(FeatureSourceError, match=r"'b.1' and 'one/b1' both name the clip one/b1"):
        _match("b.1", "one/b1")


def test_no_match_at_all_shows_both_sides() -> None:
    with pytest.raises(
        FeatureSourceError, match=r"the first entry is 'zzz', the first clip is one/a1 \(Actor"
    ):
        _match("zzz")


def test_missing_clips_and_strange_entries_are_listed() -> None:
    found = _match("one/a1", "zzz", "two/a1")
    assert found.missing == ("one/b1", "two/ü2")
    assert found.unmatched == ("zzz",)


def test_a_recording_is_not_its_segment() -> None:
    whole, cut = CLIPS[0], _Clip("one/a1#0001000-end", "one", "Actor_01/a1.wav", start_s=1.0)
    entry, named = (Entry(key, (1,), lambda: np.zeros(1)) for key in ("a1.wav", "a1#0001000-end"))
    found = match_entries([entry, named], [cut, whole], [cut.clip_id, whole.clip_id])
    assert found.entries == {whole.clip_id: entry, cut.clip_id: named}
    with pytest.raises(FeatureSourceError, match=r"first clip is one/a1#.*; name segments by clip id$"):
        match_entries([entry], [cut], [cut.clip_id])
