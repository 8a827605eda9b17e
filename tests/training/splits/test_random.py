from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SplitError
from schemas.protocol import SplitSpec
from tests.training.splits.manifests import clips_of, corpora, ravdess, spoken, tess
from training.splits.choose import splits_of
from training.splits.side import SIDES
from training.splits.split import Split

SPEC = SplitSpec(protocol="random", validation=0.2, test=0.1)
LEAKY = SplitSpec(protocol="random", leak_views=True)


def drawn(manifest: Any, seed: int = 0, spec: SplitSpec = SPEC, views: Any = range(7)) -> Split:
    (split,) = splits_of(manifest, spec, seed, views=views)
    return split


@settings(max_examples=40)
@given(clips=corpora(), seed=st.integers(0, 99))
def test_every_usable_clip_is_on_one_side_and_identical_recordings_are_together(
    make_manifest: Any, clips: list[dict[str, Any]], seed: int
) -> None:
    manifest = make_manifest(clips)
    try:
        split = drawn(manifest, seed)
    except SplitError:
        assert manifest.loc[manifest["status"] == "ok", "audio_sha256"].nunique() < 3
        return
    placed = [clip for side in SIDES for clip in split.side(side)]
    assert sorted(placed) == sorted(manifest.loc[manifest["status"] == "ok", "clip_id"])
    recordings = [spoken(split, manifest, side, "audio_sha256") for side in SIDES]
    assert all(recordings)
    assert sum(map(len, recordings)) == len(set.union(*recordings))
    assert drawn(manifest.sample(frac=1, random_state=1), seed) == split


def test_every_corpus_and_emotion_is_shared_out_alike(make_manifest: Any) -> None:
    manifest = make_manifest([*ravdess(30), *tess()])
    split = drawn(manifest)
    table = manifest.assign(
        side=manifest["clip_id"].map({clip: side for side in SIDES for clip in split.side(side)})
    )
    for _, stratum in table.groupby(["dataset", "emotion"]):
        shares = stratum["side"].value_counts(normalize=True)
        assert shares.to_dict() == pytest.approx({"train": 0.7, "validation": 0.2, "test": 0.1}, abs=0.01)
    assert split.title == "speaker-dependent (protocol: random)"
    assert split.notices == ()


def test_adding_a_corpus_moves_no_clip_of_another(make_manifest: Any) -> None:
    alone, both = drawn(make_manifest(ravdess())), drawn(make_manifest([*ravdess(), *tess()]))
    for side in SIDES:
        assert set(alone.side(side)) == {c for c in both.side(side) if c.startswith("ravdess")}


@settings(max_examples=20)
@given(clips=corpora(), seed=st.integers(0, 99), views=st.sets(st.integers(0, 9), min_size=2))
def test_leaked_views_are_each_on_one_side(
    make_manifest: Any, clips: list[dict[str, Any]], seed: int, views: set[int]
) -> None:
    manifest = make_manifest(clips)
    usable = manifest[manifest["status"] == "ok"]
    try:
        split = drawn(manifest, seed, LEAKY, views)
    except SplitError:
        assert len(usable) * len(views) < 3
        return
    assert split.views is not None
    read = [(clip, view) for side in SIDES for clip, views in split.views[side].items() for view in views]
    assert sorted(read) == sorted((clip, view) for clip in usable["clip_id"] for view in views)
    shuffled = manifest.sample(frac=1, random_state=1)
    assert drawn(shuffled, seed, LEAKY, views) == split
    for side in SIDES:
        positions, indices = split.view_positions(shuffled, side)
        pairs = set(zip(shuffled["clip_id"].to_numpy()[positions], indices, strict=True))
        assert pairs == {(clip, view) for clip, views in split.views[side].items() for view in views}
        assert np.all(np.diff(indices) >= 0), "view by view, as they lie on disk"
        assert split.side(side) == tuple(sorted(split.views[side]))


def test_leaked_views_share_their_recordings_and_say_so(make_manifest: Any) -> None:
    split = drawn(make_manifest(ravdess()), spec=LEAKY)
    assert set(split.train) & set(split.test)
    assert split.title == "leaky (protocol: random, views on both sides)"
    assert split.independence == "leaky"


@pytest.mark.parametrize(
    ("clips", "spec", "views", "message"),
    [
        (ravdess(), LEAKY, (0,), "only the store's original view is read"),
        (clips_of([("x", 1, "male", 1)]), LEAKY, (0, 1), "2 usable recordings"),
        (clips_of([("x", 1, "male", 2)]), SPEC, (0, 1), "2 usable recordings"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    make_manifest: Any, clips: Any, spec: SplitSpec, views: Any, message: str
) -> None:
    with pytest.raises(SplitError, match=message):
        drawn(make_manifest(clips), spec=spec, views=views)
