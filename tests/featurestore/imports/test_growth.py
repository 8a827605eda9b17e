"""Builds keep what was imported, because they cannot compute it again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.cli.text.build import build_json
from featurestore.compute import commit
from featurestore.compute.commit import commit_unit
from featurestore.format.documents import StoredObject, UnitRecord, write_document
from featurestore.imports import run
from featurestore.imports.run import ImportReport, ImportRequest, import_feature
from featurestore.places.place import Place
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import UsageError
from tests.featurestore.imports.conftest import vectors_of
from tests.tiny_store import TINY_RECIPE, Builder

Table = tuple[Path, pd.DataFrame]


def _import(store: Path, path: Path) -> ImportReport:
    return import_feature(ImportRequest(store, "egemaps", (path,)))


def _numbers(store: Path) -> pd.DataFrame:
    """What the store holds of the feature, by clip id."""
    opened = FeatureStore.open(store)
    ids = opened.manifest["clip_id"]
    found = opened.read(range(len(ids)), features=("egemaps",))["egemaps"][0, :, :, 0]
    return pd.DataFrame(found.astype(np.float64), index=pd.Index(ids))


def _add_clip(corpora: Path) -> str:
    source = corpora / "demo" / "f01" / "f01_s1_angry_1.wav"
    samples = source.read_bytes()
    (source.parent / "f01_s2_angry_1.wav").write_bytes(samples[:-200] + bytes(200))
    return "demo/f01_s2_angry_1"


def test_a_build_without_changes_keeps_it(
    own_small_store: Path, small_demo: Path, tiny_build: Builder, table: Table
) -> None:
    digest = _import(own_small_store, table[0]).document.digest
    report = tiny_build(own_small_store, small_demo)
    assert (report.units_built, report.document.digest) == (0, digest)
    checked = tiny_build(own_small_store, small_demo, check=True)
    assert (checked.units_built, checked.document.digest) == (0, digest)


def test_clips_that_come_later_have_no_values_until_they_are_imported(
    own_small_store: Path, own_demo: Path, tiny_build: Builder, table: Table
) -> None:
    path, frame = table
    new = _add_clip(own_demo)
    whole = pd.concat([frame, pd.DataFrame([[1, 2, 3, 4, 5]], index=[new], columns=frame.columns)])
    whole.rename_axis("clip_id").to_csv(path)
    first = _import(own_small_store, path)
    assert first.unmatched == (new,)
    gone = own_demo / "demo" / "m08" / "m08_s1_sad_1.wav"
    gone.unlink()
    report = tiny_build(own_small_store, own_demo)
    assert (report.units_built, report.lacking) == (1, {"egemaps": 1})
    assert build_json(report)["lacking"] == {"egemaps": 1}
    found = _numbers(own_small_store)
    assert found.loc[new].isna().all()
    kept = [clip for clip in frame.index if clip != "demo/m08_s1_sad_1"]
    np.testing.assert_array_equal(found.loc[kept], frame.loc[kept])
    assert verify(own_small_store, full=True).ok
    again = _import(own_small_store, path)
    assert (again.units_written, again.unmatched) == (1, ("demo/m08_s1_sad_1",))
    np.testing.assert_array_equal(_numbers(own_small_store).loc[new], [1, 2, 3, 4, 5])


def test_a_recording_that_changed_loses_its_values(
    own_small_store: Path, own_demo: Path, tiny_build: Builder, table: Table
) -> None:
    path, frame = table
    _import(own_small_store, path)
    file = own_demo / "demo" / "f01" / "f01_s1_angry_1.wav"
    file.write_bytes(file.read_bytes()[:-200] + bytes(200))
    assert tiny_build(own_small_store, own_demo).lacking == {"egemaps": 1}
    found = _numbers(own_small_store)
    assert found.loc["demo/f01_s1_angry_1"].isna().all()
    np.testing.assert_array_equal(found.drop("demo/f01_s1_angry_1"), frame.drop("demo/f01_s1_angry_1"))


@pytest.mark.parametrize("restored", [False, True])
def test_a_build_that_is_stopped_before_a_record_loses_no_other_values(
    own_small_store: Path,
    own_demo: Path,
    tiny_build: Builder,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    restored: bool,
) -> None:
    """Shards without the changed clip's values are written, but not the record that says so."""
    path, frame = table
    _import(own_small_store, path)
    file = own_demo / "demo" / "f01" / "f01_s1_angry_1.wav"
    before = file.read_bytes()
    file.write_bytes(before[:-200] + bytes(200))

    def stop(place: Place, name: str, document: UnitRecord) -> StoredObject:
        if document.fingerprint:
            raise KeyboardInterrupt
        return write_document(place, name, document)

    with monkeypatch.context() as patch:
        patch.setattr(commit, "write_document", stop)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                tiny_build(own_small_store, own_demo)
    if restored:
        file.write_bytes(before)
    assert tiny_build(own_small_store, own_demo).lacking == {"egemaps": 1}
    found = _numbers(own_small_store)
    assert found.loc["demo/f01_s1_angry_1"].isna().all()
    np.testing.assert_array_equal(found.drop("demo/f01_s1_angry_1"), frame.drop("demo/f01_s1_angry_1"))
    assert verify(own_small_store, full=True).ok


def test_new_views_and_features_leave_it_as_it_is(
    small_demo: Path, tiny_recipe: str, own_small_store: Path, table: Table, tmp_path: Path
) -> None:
    path, frame = table
    grown = tmp_path / "grown.zarr"

    def grow(**options: Any) -> BuildReport:
        return build(BuildRequest(grown, small_demo, "demo", SpecRequest(**options)))

    grow(recipe=tiny_recipe, augment=1)
    _import(grown, path)
    report = grow(recipe=tiny_recipe, augment=2)
    assert report.lacking == {}
    assert report.document.digest == _import(own_small_store, path).document.digest
    grow(features="mfcc")
    assert list(FeatureStore.open(grown).spec.coefficients) == ["mel", "rms", "egemaps", "mfcc"]
    np.testing.assert_array_equal(_numbers(grown), frame.loc[_numbers(grown).index])
    assert verify(grown, full=True).ok


@pytest.mark.parametrize("feature", ["mel", "egemaps"])
def test_repairs_keep_what_is_intact_and_say_what_is_lost(
    own_small_store: Path, small_demo: Path, tiny_build: Builder, table: Table, feature: str
) -> None:
    digest = _import(own_small_store, table[0]).document.digest
    shard = own_small_store / "demo" / feature / "c" / "0" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert not verify(own_small_store, full=True).ok
    report = tiny_build(own_small_store, small_demo, check=True)
    assert report.units_built == 1
    if feature == "egemaps":
        assert report.lacking == {"egemaps": 112}
        assert _numbers(own_small_store).isna().all(axis=None)
        _import(own_small_store, table[0])
    assert FeatureStore.open(own_small_store).digest == digest


@pytest.mark.slow
def test_a_build_finishes_an_import_that_was_stopped(
    own_store: Path, whole_demo: Path, tiny_build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "t.csv", Path(shutil.copytree(own_store, tmp_path / "other.zarr"))
    vectors_of(own_store).to_csv(path)
    whole = _import(other, path)
    written: list[int] = []

    def stop(*arguments: Any) -> UnitRecord:
        if written:
            raise KeyboardInterrupt
        written.append(1)
        return commit_unit(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(run, "commit_unit", stop)
        with pytest.raises(KeyboardInterrupt):
            _import(own_store, path)
    report = tiny_build(own_store, whole_demo)
    assert report.lacking == {"egemaps": 672 - 256}
    assert _import(own_store, path).document.digest == whole.document.digest


def test_a_recipe_with_an_imported_feature_builds_the_others(small_demo: Path, tmp_path: Path) -> None:
    imported = '[[features]]\nkind = "imported"\nname = "egemaps"\n'
    recipe = tmp_path / "r.toml"
    recipe.write_text(TINY_RECIPE.replace("[[views]]", f"{imported}[[views]]", 1))
    request = BuildRequest(
        tmp_path / "s.zarr", small_demo, "demo", SpecRequest(recipe=str(recipe), augment=0)
    )
    assert list(build(request).document.spec.coefficients) == ["mel", "rms"]
    head, _, tail = TINY_RECIPE.partition("[[features]]")
    recipe.write_text(head + imported + tail[tail.index("[[views]]") :])
    with pytest.raises(UsageError, match="a build computes no imported features, and there are no others"):
        build(BuildRequest(tmp_path / "t.zarr", small_demo, "demo", SpecRequest(recipe=str(recipe))))
