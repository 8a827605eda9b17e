"""The protocol emobox on a corpus that was built from EmoBox's metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from featurestore.report.provenance import collect_provenance
from featurestore.store import FeatureStore
from schemas.errors import SplitError, UsageError
from schemas.protocol import SplitSpec
from tests.data.emobox.lists import Listed, take_turns, write_metadata
from tests.tiny_store import Builder
from tests.training.splits.manifests import ravdess, require_sound, spoken
from training.audits.audit import audit
from training.splits.choose import splits_of
from training.splits.emobox import FOLDS, SHARING_SPEAKERS
from training.splits.split import Split
from training.vectors.groups import require_whole_groups

SPEC = SplitSpec(protocol="emobox")


Manifests = Callable[[Iterable[Mapping[str, Any]]], pd.DataFrame]


@pytest.fixture
def make_listed(make_manifest: Any) -> Manifests:
    """Function from clips to a manifest that has their ``split``, too."""

    def make(clips: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        given = [*clips]
        manifest: pd.DataFrame = make_manifest(given)
        return manifest.assign(split=[clip["split"] for clip in given])

    return make


def _in_folds_of_ravdess() -> list[dict[str, Any]]:
    fold_of = {f"ravdess/{name}": n for n, fold in enumerate(FOLDS["ravdess"], start=1) for name in fold}
    return [{**clip, "split": f"fold_{fold_of[clip['speaker']]}"} for clip in ravdess()]


def _shared(dataset: str = "emodb", clips: int = 6) -> list[dict[str, Any]]:
    """Five speakers, each tested in both folds."""
    return [
        {"speaker": f"{dataset}/{n:02d}", "gender": "male", "split": f"fold_{1 + clip % 2}"}
        for n in range(5)
        for clip in range(clips)
    ]


def test_the_metadata_of_ravdess_gives_the_splits_that_are_known_without_it(
    make_listed: Manifests, make_manifest: Any
) -> None:
    listed = splits_of(make_listed(_in_folds_of_ravdess()), SPEC, 0)
    assert listed == splits_of(make_manifest(ravdess()), SPEC, 0)
    assert {split.independence for split in listed} == {"speaker-independent"}


@pytest.mark.parametrize("dataset", sorted(SHARING_SPEAKERS))
def test_folds_that_share_speakers_are_refused_without_metadata_and_speaker_dependent_with_it(
    make_listed: Manifests, dataset: str
) -> None:
    manifest = make_listed(_shared(dataset))
    with pytest.raises(SplitError, match=f"cannot be used for {dataset}: its folds have the same speakers"):
        splits_of(manifest.drop(columns="split"), SPEC, 0)
    one, two = splits_of(manifest, SPEC, 0)
    assert one.title == "speaker-dependent (protocol: emobox, fold 1 of 2)"
    (notice,) = one.notices
    assert "the same speakers, or unknown ones, in training and test" in notice
    assert set(one.test) == set(manifest["clip_id"][manifest["split"] == "fold_1"])
    assert set(two.test) == set(manifest["clip_id"][manifest["split"] == "fold_2"])
    assert set(one.train) | set(one.validation) == set(two.test)


def test_one_fold_with_shared_speakers_makes_all_folds_speaker_dependent(make_listed: Manifests) -> None:
    clips = _in_folds_of_ravdess()
    clips[0]["split"] = "fold_6"
    assert {split.independence for split in splits_of(make_listed(clips), SPEC, 0)} == {"speaker-dependent"}


def test_an_audit_admits_shared_speakers_and_normalisation_by_speaker_is_refused(
    make_listed: Manifests,
) -> None:
    manifest = make_listed(_shared())
    (split, _) = splits_of(manifest, SPEC, 0)
    checks = {check.name: check.verdict for check in audit(split, manifest, {}).checks}
    assert checks["speaker overlap"] == "admitted"
    assert checks["clip overlap"] == checks["audio overlap"] == "clean"
    with pytest.raises(UsageError, match="the protocol emobox puts them on several"):
        require_whole_groups(manifest, [split], "speaker")


def test_such_a_split_survives_its_file_and_others_are_written_as_before(make_listed: Manifests) -> None:
    (split, _) = splits_of(make_listed(_shared()), SPEC, 0)
    assert Split.from_json(json.loads(json.dumps(split.to_json()))) == split
    plain = splits_of(make_listed(_in_folds_of_ravdess()), SPEC, 0)[0].to_json()
    assert "shares_speakers" not in plain


def test_the_only_fold_keeps_its_validation_list(make_listed: Manifests) -> None:
    places = {"01": "train", "02": "train", "03": "validation", "04": "fold_1"}
    clips = [{"speaker": f"tv/{name}", "split": split} for name, split in places.items() for _ in range(3)]
    manifest = make_listed(clips)
    (split,) = splits_of(manifest, SPEC, 0)
    require_sound(split, manifest)
    assert spoken(split, manifest, "validation") == {"tv/03"}
    assert spoken(split, manifest, "test") == {"tv/04"}
    assert split.title == "speaker-independent (protocol: emobox, fold 1 of 1)"
    unknown = make_listed([{**clip, "speaker": "tv/unknown"} for clip in clips])
    (split,) = splits_of(unknown, SPEC, 0)
    assert split.independence == "speaker-dependent"
    assert [len(side) for side in (split.train, split.validation, split.test)] == [6, 3, 3]


def test_the_only_fold_without_a_validation_list_draws_one(make_listed: Manifests) -> None:
    places = {"01": "train", "02": "train", "03": "train", "04": "train", "05": "fold_1"}
    manifest = make_listed({"speaker": f"tv/{name}", "split": split} for name, split in places.items())
    (split,) = splits_of(manifest, SPEC, 0)
    require_sound(split, manifest)
    assert spoken(split, manifest, "test") == {"tv/05"}
    assert len(spoken(split, manifest, "validation")) == 1


def test_a_recording_on_both_sides_a_missing_fold_and_nothing_to_train_on_are_refused(
    make_listed: Manifests,
) -> None:
    clips = _in_folds_of_ravdess()
    with pytest.raises(SplitError, match="no usable clip of fold_2"):
        splits_of(make_listed(clip for clip in clips if clip["split"] != "fold_2"), SPEC, 0)
    clips[0]["audio_sha256"] = clips[-1]["audio_sha256"] = "5a" * 32
    with pytest.raises(
        SplitError, match="are the same recording, or overlap, but EmoBox tests only the first in fold_"
    ):
        splits_of(make_listed(clips), SPEC, 0)
    places = ("validation", "fold_1")
    with pytest.raises(SplitError, match="leaves no clip of tv to train on"):
        splits_of(make_listed({"speaker": f"tv/{s}", "split": s} for s in places), SPEC, 0)


def test_a_column_of_other_splits_lists_no_folds(make_listed: Manifests, make_manifest: Any) -> None:
    clips = [{**clip, "split": "train"} for clip in ravdess()]
    assert splits_of(make_listed(clips), SPEC, 0) == splits_of(make_manifest(ravdess()), SPEC, 0)


def test_a_store_built_from_metadata_has_its_folds_and_its_page_asks_for_the_path(
    small_demo: Path, tmp_path: Path, tiny_build: Builder
) -> None:
    voices = sorted(path.relative_to(small_demo / "demo") for path in (small_demo / "demo").rglob("*.wav"))
    by_speaker: dict[str, list[Listed]] = {}
    for path in voices:
        by_speaker.setdefault(path.parent.name, []).append((path.stem, str(path), path.stem.split("_")[2]))
    tests = [*by_speaker.values()]
    labels = {label for listed in tests for *_, label in listed}
    metadata = write_metadata(tmp_path / "demo", take_turns(tests), {label: label for label in labels})
    tiny_build(tmp_path / "s.zarr", small_demo, f"demo={metadata}")
    store = FeatureStore.open(tmp_path / "s.zarr")
    splits = splits_of(store.manifest, SPEC, 0)
    assert [spoken(split, store.manifest, "test") for split in splits] == [
        {f"demo/{speaker}"} for speaker in by_speaker
    ]
    assert {split.independence for split in splits} == {"speaker-independent"}
    assert any("--datasets demo=PATH" in command for command in collect_provenance(store).rebuild)
