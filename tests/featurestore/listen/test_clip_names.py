"""How clips to listen to are named, and the files that are written of them."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from featurestore.listen.clip import find_clip
from featurestore.listen.listen import safe_stem
from schemas.errors import (
    UnknownNameError,
)

IDS = ["x/anna_1", "x/anna_12", "x/ben_1", "y/deep/ben_2"]
PATHS = ["angry/anna_1.wav", "sad/anna_12.wav", "sad/ben_1.wav", "sad/ben_2.flac"]


@pytest.mark.parametrize(
    ("wanted", "position"),
    [
        ("x/anna_1", 0),
        ("anna_12", 1),
        ("sad/ben_1.wav", 2),
        ("/data/corpora/x/sad/ben_1.wav", 2),
        ("DEEP", 3),
    ],
)
def test_a_clip_is_found_by_id_part_and_path(wanted: str, position: int) -> None:
    assert find_clip(wanted, IDS, PATHS, "x") == position


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("anna", r"matches 2 clips of s, such as x/anna_1, x/anna_12"),
        ("ben_3", r"closest are .*ben_"),
        ("", "no clip ''"),
    ],
)
def test_a_clip_that_is_none_or_several_is_told(wanted: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        find_clip(wanted, IDS, PATHS, "s")


@pytest.mark.parametrize(
    "clip_id", ["demo/../../x", "a/b/c d", "x/" + "é" * 300, "..", "x/.hidden", "a\x00b", "x/C:\\y", "x/-rf"]
)
def test_file_names_stay_in_their_folder(clip_id: str) -> None:
    stem = safe_stem(clip_id)

    assert stem
    assert not set(stem) & set("/\\\0: ")
    assert stem[0] not in ".-"
    assert len(stem.encode()) <= 180


def test_clips_do_not_share_the_name_of_a_file() -> None:
    ids = ["mine/angry/a 1", "mine/angry/a-1", "mine/angry-a/1", "mine/angry-a-1"]
    ids += [f"mine/{'x' * length}" for length in (60, 61, 62)]
    assert len({safe_stem(clip_id) for clip_id in ids}) == len(ids)
    assert safe_stem("demo/f01_s1_angry_1") == "f01_s1_angry_1"


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("wanted", ["x/zoë_1", "zoë", "wütend/zoë_1.wav", "/data/wütend/zoë_1.wav"])
def test_a_clip_is_found_however_its_accents_are_typed(typed, stored, wanted: str) -> None:
    ids, paths = (
        [normalize(stored, name) for name in names]
        for names in (["x/zoé_1", "x/zoë_1"], ["wütend/zoé_1.wav", "wütend/zoë_1.wav"])
    )
    assert find_clip(normalize(typed, wanted), ids, paths, "x") == 1
