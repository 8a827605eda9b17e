"""A feature of another tool becomes a feature of the store like any other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr

from featurestore.compare import compare
from featurestore.export.export import export
from featurestore.format.documents import UnitRecord
from featurestore.format.layout import VIEWS
from featurestore.format.tables import parquet_bytes
from featurestore.imports import run
from featurestore.imports.run import ImportReport, ImportRequest, import_feature
from featurestore.progress import Silent
from featurestore.read.table_values import read_views
from featurestore.sharing.selection import PartSelection
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import (
    FeatureSourceError,
    StoreConflictError,
    StoreDamagedError,
    StoreNotFoundError,
    StoreUnfinishedError,
    UsageError,
)
from tests.featurestore.imports.conftest import vectors_of

Table = tuple[Path, pd.DataFrame]


def _import(store: Path, *files: Path, name: str = "egemaps", replace: bool = False) -> ImportReport:
    return import_feature(ImportRequest(store, name, files, replace=replace))


def test_the_store_reads_the_numbers_of_the_file(own_small_store: Path, table: Table) -> None:
    path, frame = table
    before = FeatureStore.open(own_small_store)
    computed = before.read(range(112), (0, 1), ("mel", "rms"))
    report = _import(own_small_store, path)
    assert (report.clips, report.missing, report.units_written) == (112, (), 1)
    store = FeatureStore.open(own_small_store)
    assert (store.digest, store.document.format_version) == (report.document.digest, 5)
    ids = store.manifest["clip_id"].tolist()
    found = store.read(range(112), (0, 1, 2), ("egemaps",))["egemaps"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found[0, :, :, 0], frame.loc[ids].to_numpy())
    assert np.isnan(found[1:]).all()
    assert store.valid_frames(range(112), (0, 1, 2), "egemaps").tolist() == [[1] * 112, [0] * 112, [0] * 112]
    again = store.read(range(112), (0, 1), ("mel", "rms"))
    assert all(np.array_equal(again[name], computed[name]) for name in computed)
    feature = store.spec.imported[0]
    assert (feature.shape, feature.source, feature.provenance) == (
        (5,),
        ("egemaps.csv",),
        "CSV table egemaps.csv",
    )
    result = verify(own_small_store, full=True)
    assert result.ok
    assert result.strangers == ()


def test_statistics_are_those_of_numpy(own_small_store: Path, table: Table) -> None:
    path, frame = table
    _import(own_small_store, path)
    store = FeatureStore.open(own_small_store)
    manifest = store.manifest
    speakers = sorted(manifest["speaker"].unique())[:3]
    own = frame.loc[manifest["clip_id"][manifest["speaker"].isin(speakers)]].to_numpy(np.float64)
    found = store.statistics(speakers)["egemaps"]
    assert found.count == len(own)
    np.testing.assert_allclose(found.mean, own.mean(axis=0))
    np.testing.assert_allclose(found.std, own.std(axis=0))
    assert store.statistics(speakers, (1,))["egemaps"].count == 0


def test_other_zarr_readers_see_it(own_small_store: Path, table: Table) -> None:
    _import(own_small_store, table[0])
    array = zarr.open_group(own_small_store, mode="r")["demo/egemaps"]
    assert isinstance(array, zarr.Array)
    assert array.shape == (3, 112, 5, 1)
    assert array.attrs["provenance"] == "CSV table egemaps.csv"
    tree = FeatureStore.open(own_small_store).to_xarray()
    assert tree["demo/egemaps"].dims == ("view", "clip", "egemaps_value", "egemaps_frame")


def test_frames_and_layers_are_stored_as_those_of_encoders(own_small_store: Path, tmp_path: Path) -> None:
    ids = FeatureStore.open(own_small_store).manifest["clip_id"].tolist()
    rng = np.random.default_rng(5)
    arrays = {clip: rng.integers(-99, 99, (2, 3 + n % 4, 6)) for n, clip in enumerate(ids)}
    for clip, array in arrays.items():
        path = tmp_path / "w2v" / f"{clip}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    _import(own_small_store, tmp_path / "w2v", name="w2v")
    store = FeatureStore.open(own_small_store)
    assert store.spec.imported[0].shape == (2, 6, 6)
    assert store.valid_frames(range(112), (0,), "w2v")[0].tolist() == [3 + n % 4 for n in range(112)]
    found = store.read(range(112), features=("w2v",))["w2v"][0]
    for n, clip in enumerate(ids):
        frames = 3 + n % 4
        np.testing.assert_array_equal(found[n].reshape(2, 6, 6)[:, :, :frames], arrays[clip].swapaxes(1, 2))
        assert not found[n, :, frames:].any()
    (one,) = store.read([7], features=("w2v",), layers=(1,))["w2v"][0]
    np.testing.assert_array_equal(one[:, :6], arrays[ids[7]][1].T)
    assert verify(own_small_store, full=True).ok


def test_missing_and_unusable_clips_stay_nan(own_small_store: Path, table: Table) -> None:
    path, frame = table
    ids = frame.index.tolist()
    part = frame.drop(ids[3]).astype(float)
    part.loc[ids[5], "f1"] = np.nan
    part.loc["elsewhere"] = 1.0
    part.to_csv(path)
    report = _import(own_small_store, path)
    assert (report.missing, report.unusable, report.unmatched) == ((ids[3],), (ids[5],), ("elsewhere",))
    assert report.clips == 110
    store = FeatureStore.open(own_small_store)
    has = store.has_values(("egemaps",))
    assert [store.manifest["clip_id"][row] for row in np.flatnonzero(~has)] == [ids[3], ids[5]]
    assert np.isnan(store.read([3, 5], features=("egemaps",))["egemaps"]).all()
    assert verify(own_small_store, full=True).ok
    target = path.with_name("out.csv")
    export(own_small_store, target, selection=PartSelection.of(features="egemaps"))
    exported = pd.read_csv(target, index_col="clip_id").filter(like="egemaps.")
    assert exported.columns.tolist() == [f"egemaps.f{i}" for i in range(5)]
    assert exported.loc[[ids[3], ids[5]]].isna().all(axis=None)
    np.testing.assert_array_equal(exported.loc[ids[:3]], frame.loc[ids[:3]])


def test_the_same_bytes_change_nothing_and_others_are_refused(own_small_store: Path, table: Table) -> None:
    path, frame = table
    first = _import(own_small_store, path)
    times = {
        each: each.stat().st_mtime_ns for each in own_small_store.rglob("*.*") if ".build" not in each.name
    }
    renamed = path.rename(path.with_name("renamed.csv"))
    again = _import(own_small_store, renamed)
    assert (again.document, again.units_written, again.units_kept) == (first.document, 0, 1)
    assert all(each.stat().st_mtime_ns == time for each, time in times.items())
    (frame + 1).to_csv(path)
    with pytest.raises(
        StoreConflictError, match=r"already has the feature egemaps, from other bytes .*--replace"
    ):
        _import(own_small_store, path)
    assert FeatureStore.open(own_small_store).digest == first.document.digest
    wider = vectors_of(own_small_store, 3)
    wider.to_csv(path)
    _import(own_small_store, path, replace=True)
    store = FeatureStore.open(own_small_store)
    found = store.read(range(112), features=("egemaps",))["egemaps"][0, :, :, 0]
    np.testing.assert_array_equal(found, wider.loc[store.manifest["clip_id"]].to_numpy())
    assert verify(own_small_store, full=True).ok


def test_equal_imports_give_equal_stores_that_compare_and_share_as_any(
    own_small_store: Path, small_store: Path, table: Table, tmp_path: Path
) -> None:
    from featurestore.sharing.pull import pull
    from featurestore.sharing.push import push

    other = Path(shutil.copytree(small_store, tmp_path / "other.zarr"))
    one, two = _import(own_small_store, table[0]), _import(other, table[0])
    assert one.document.digest == two.document.digest
    result = compare(FeatureStore.open(own_small_store), FeatureStore.open(small_store), Silent())
    assert result.features_only.a == ("egemaps",)
    push(str(own_small_store), str(tmp_path / "published"))
    pull(str(tmp_path / "published"), tmp_path / "pulled.zarr")
    assert FeatureStore.open(tmp_path / "pulled.zarr").digest == one.document.digest
    part = tmp_path / "part.zarr"
    pull(str(tmp_path / "published"), part, PartSelection.of(features="egemaps", views="original"))
    assert FeatureStore.open(part).spec.coefficients == {"egemaps": 5}
    assert verify(part, full=True).ok


def test_a_stopped_import_resumes_with_the_same_command(
    own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "t.csv", Path(shutil.copytree(own_store, tmp_path / "other.zarr"))
    vectors_of(own_store).to_csv(path)
    whole = _import(other, path)
    commit = run.commit_unit
    written: list[int] = []

    def stop(*arguments: Any) -> UnitRecord:
        if written:
            raise KeyboardInterrupt
        written.append(1)
        return commit(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(run, "commit_unit", stop)
        with pytest.raises(KeyboardInterrupt):
            _import(own_store, path)
    with pytest.raises(StoreUnfinishedError):
        FeatureStore.open(own_store)
    report = _import(own_store, path)
    assert (report.units_kept, report.units_written) == (1, 2)
    assert report.document.digest == whole.document.digest
    assert verify(own_store, full=True).ok


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mel", "cannot be named 'mel'"),
        ("eGeMAPS_v02", "lower-case letters, digits, dots and hyphens, unlike 'eGeMAPS_v02'"),
        ("whisper-base", "'whisper-base' is an encoder that a build computes"),
    ],
)
def test_a_name_that_means_something_else_is_refused(
    own_small_store: Path, table: Table, name: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        _import(own_small_store, table[0], name=name)


def test_an_unusable_source_leaves_the_store_as_it_was(
    own_small_store: Path, table: Table, tmp_path: Path
) -> None:
    path, frame = table
    digest = FeatureStore.open(own_small_store).digest
    (frame * 1e4).to_csv(path)
    with pytest.raises(FeatureSourceError, match=r"float16 holds at most 65504; scale the values, or build"):
        _import(own_small_store, path)
    (frame * np.nan).to_csv(path)
    with pytest.raises(FeatureSourceError, match="no clip of the store has only finite numbers"):
        _import(own_small_store, path)
    with pytest.raises(FeatureSourceError, match="there is no file or folder"):
        _import(own_small_store, tmp_path / "nothing.csv")
    other = tmp_path / "x.bin"
    other.touch()
    with pytest.raises(UsageError, match="cannot be imported; give a CSV"):
        _import(own_small_store, other)
    with pytest.raises(StoreNotFoundError, match="no feature store at"):
        _import(tmp_path / "none.zarr", path)
    assert not (tmp_path / "none.zarr").exists()
    assert FeatureStore.open(own_small_store).digest == digest


@pytest.mark.parametrize(
    ("row", "frames"), [(0, 2), (0, -1), (1, 1)], ids=["more than the shape", "negative", "in another view"]
)
def test_frames_that_cannot_be_are_refused(
    own_small_store: Path, table: Table, row: int, frames: int
) -> None:
    _import(own_small_store, table[0])
    store = FeatureStore.open(own_small_store)
    views = pq.read_table(own_small_store / VIEWS)
    counts = views["egemaps_frames"].to_pylist()
    assert counts == [1, 0, 0] * 112
    counts[row] = frames
    place = views.schema.get_field_index("egemaps_frames")
    forged = views.set_column(place, views.schema.field(place), pa.array(counts, pa.int64()))
    with pytest.raises(StoreDamagedError, match=f"row {row} has {frames} as egemaps_frames, expected 0 to 1"):
        read_views(parquet_bytes(forged), store.manifest, store.spec)
