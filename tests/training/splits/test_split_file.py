"""Splits that are written down, shared and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RunError, SplitError, UsageError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import corpora, ravdess
from training.splits.choose import splits_of
from training.splits.split import Split

SPECS = [
    {"protocol": "speaker"},
    {"protocol": "loso"},
    {"protocol": "kfold:2"},
    {"protocol": "random"},
    {"protocol": "random", "leak_views": True},
]


@settings(max_examples=40)
@given(clips=corpora(), spec=st.sampled_from(SPECS), seed=st.integers(0, 2**63 - 1))
def test_splits_survive_json(
    make_manifest: Any, clips: list[dict[str, Any]], spec: dict[str, Any], seed: int
) -> None:
    manifest = make_manifest(clips)
    try:
        splits = splits_of(manifest, SplitSpec.model_validate(spec), seed, "sha256:abc", range(3))
    except SplitError:
        return
    for split in splits[:2]:
        assert Split.from_json(json.loads(json.dumps(split.to_json()))) == split
        split.require_unchanged(manifest)


@pytest.fixture
def split(make_manifest: Any) -> Split:
    (split,) = splits_of(make_manifest(ravdess()), SplitSpec(), 1)
    return split


@pytest.fixture
def leaky(make_manifest: Any) -> Split:
    spec = SplitSpec(protocol="random", leak_views=True)
    (split,) = splits_of(make_manifest(ravdess()), spec, 1, views=(0, 1, 2))
    return split


def test_a_split_is_read_from_a_file_and_from_the_folder_of_a_run(split: Split, tmp_path: Path) -> None:
    (tmp_path / "split.json").write_text(json.dumps(split.to_json()))
    assert Split.read(tmp_path / "split.json") == Split.read(tmp_path) == split


def test_splits_of_earlier_runs_are_read(split: Split) -> None:
    value = split.to_json()
    for later in ("format", "fold", "validation_by"):
        del value[later]
    assert Split.from_json(value) == split


def test_changed_bad_and_missing_recordings_are_named_and_refused(make_manifest: Any, split: Split) -> None:
    manifest = make_manifest(ravdess())
    assert split.changed(manifest) == ()
    manifest.loc[4, "audio_sha256"] = "other"
    manifest.loc[5, "status"] = "bad"
    gone = manifest["clip_id"][6]
    now = manifest.drop(6)
    assert split.changed(now) == tuple(sorted([*manifest["clip_id"][4:6], gone]))
    with pytest.raises(
        RunError, match=r"3 of its 72 clips are missing, bad, or another recording \(ravdess/"
    ):
        split.require_unchanged(now)


def changed(split: Split, **values: Any) -> dict[str, Any]:
    return {**split.to_json(), **values}


HASH = "0" * 64
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"more": 1}, "more: unknown field"),
    "later format": ({"format": 2}, "format"),
    "unknown protocol": ({"protocol": "mine"}, "protocol"),
    "number as text": ({"seed": "1"}, "seed"),
    "negative seed": ({"seed": -1}, "seed"),
    "endless seed": ({"seed": 10**5000}, "split.json is not a split"),
    "side as list": ({"train": ["ravdess/01"]}, "train"),
    "empty side": ({"test": {}}, "test"),
    "hash that is none": ({"test": {"x/1": "abc"}}, "test"),
    "hash that is no text": ({"test": {"x/1": None}}, "test"),
    "clip without a name": ({"test": {"": HASH}}, "test"),
    "half a character": ({"test": {"x/\ud800": HASH}}, "split.json is not a split"),
    "fold beyond the last": ({"fold": {"index": 3, "count": 2, "name": "x"}}, "no fold 3 of 2"),
    "stratum": ({"stratified_by": ["password"]}, "stratified_by"),
    "views of another protocol": ({"views": {}}, "only the protocol random draws views"),
    "not finite": ({"seed": float("nan")}, "split.json is not a split"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_strangers_split_is_checked(mistake: str, split: Split) -> None:
    values, message = MISTAKES[mistake]
    with pytest.raises(RunError, match=message) as caught:
        Split.from_json(changed(split, **values))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("clip", ["x/1\n\x1b[2J\x00", "x/" + "é" * 16_000, 'x/"quoted" [{'])
def test_every_name_that_a_store_can_hold_is_read_back(clip: str, split: Split) -> None:
    read = Split.from_json(json.loads(json.dumps(changed(split, test={clip: HASH}))))
    assert read.test == (clip,)


def test_a_clip_with_two_hashes_is_refused(split: Split) -> None:
    (clip,) = split.train[:1]
    with pytest.raises(RunError, match=f"{clip} has two hashes"):
        Split.from_json(changed(split, test={clip: HASH}))


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([], "not in ascending order"),
        ([1, 0], "not in ascending order"),
        ([0, 0], "not in ascending order"),
        ([1000], "views"),
        ([0.5], "views"),
    ],
)
def test_views_that_are_none_are_refused(leaky: Split, views: list[Any], message: str) -> None:
    value = leaky.to_json()
    value["views"]["test"][leaky.test[0]] = views
    with pytest.raises(RunError, match=message):
        Split.from_json(value)


def test_views_of_clips_that_are_elsewhere_are_refused(leaky: Split) -> None:
    value = leaky.to_json()
    del value["views"]["test"][leaky.test[0]]
    with pytest.raises(RunError, match=f"{leaky.test[0]} is in test or in its views, but not in both"):
        Split.from_json(value)


FILES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "is not a split"),
    "no UTF-8": (b'{"a": "\xff"}', "is not a split"),
    "no object": (b"[1]", "is not a split"),
    "key twice": (b'{"seed": 1, "seed": 2}', "'seed' appears twice"),
    "endless depth": (b"[" * 10_000 + b"]" * 10_000, "is not a split"),
    "many lists": (b"[" + b"[],[]," * 20_000 + b"[]]", "more values than a split of its size"),
    "large": (b'{"train": "' + b"x" * (64 * 2**20) + b'"}', "at most 67,108,864 bytes"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_split_is_one_sentence(kind: str, tmp_path: Path) -> None:
    content, message = FILES[kind]
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(RunError, match=message) as caught:
        Split.read(tmp_path / "split.json")
    assert str(tmp_path / "split.json") in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_file_that_is_not_there_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        Split.read(tmp_path / "none.json")


@pytest.mark.parametrize("views", [False, True])
def test_honest_files_are_within_the_bounds_of_strangers_files(
    views: bool, tmp_path: Path, make_manifest: Any
) -> None:
    many = splits_of(
        make_manifest(ravdess(300)),
        SplitSpec(protocol="random", leak_views=views),
        0,
        views=(0, 1, 2, 3, 4, 5, 6),
    )
    (tmp_path / "split.json").write_text(json.dumps(many[0].to_json(), separators=(",", ":")))
    assert Split.read(tmp_path) == many[0]
