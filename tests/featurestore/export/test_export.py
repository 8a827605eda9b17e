"""Exported features, read by pandas, NumPy and librosa's statistics."""

from __future__ import annotations

import shutil
from pathlib import Path

import audformat
import numpy as np
import pandas as pd
import pytest

from data.locate import locate
from featurestore.export.export import export
from featurestore.sharing.selection import PartSelection
from featurestore.store import FeatureStore
from schemas.clip import Scan
from schemas.errors import UnknownNameError, UsageError
from tests.tiny_store import Builder

SELECTED = PartSelection.of(features="mel", views="original,fast")


def _expected(store: FeatureStore, clip: int, view: int) -> np.ndarray:
    """Mean and population deviation of the valid frames, by NumPy in double precision."""
    frames = int(store.valid_frames([clip], (view,))[0, 0])
    values = store.read([clip], (view,), ("mel",))["mel"][0, 0, :, :frames].astype(np.float64)
    return np.concatenate([values.mean(axis=1), values.std(axis=1)])


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_has_a_row_per_clip_and_view_with_mean_and_deviation(
    small_store: Path, tmp_path: Path, name: str
) -> None:
    report = export(small_store, tmp_path / "new" / name, selection=SELECTED)
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    table = read(tmp_path / "new" / name)
    store = FeatureStore.open(small_store)
    assert (report.clips, report.views, report.columns, report.left_out) == (112, ("original", "fast"), 32, 0)
    assert list(table["view"].unique()) == ["original", "fast"]
    assert len(table) == 224
    assert [column for column in table if column.startswith("mel")] == [
        *(f"mel.mean.{band}" for band in range(16)),
        *(f"mel.std.{band}" for band in range(16)),
    ]
    manifest = store.manifest.set_index("clip_id")
    for column in ("speaker", "gender", "emotion", "path"):
        assert table[column].tolist() == manifest.loc[table["clip_id"], column].tolist()
    ids = store.manifest["clip_id"].tolist()
    for row in (0, 50, 150, 223):
        view = {"original": 0, "fast": 2}[table["view"][row]]
        values = table.filter(like="mel.").iloc[row].to_numpy(np.float64)
        expected = _expected(store, ids.index(table["clip_id"][row]), view)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_arrays_are_the_valid_frames_as_stored(small_store: Path, tmp_path: Path) -> None:
    report = export(small_store, tmp_path / "arrays", selection=PartSelection.of(views="original,noise"))
    store = FeatureStore.open(small_store)
    files = sorted((tmp_path / "arrays").rglob("*.npy"))
    assert (report.form, report.columns, len(files)) == ("npy", 0, 112 * 2 * 2)
    for clip in (0, 77):
        clip_id = store.manifest["clip_id"][clip]
        for view, suffix in ((0, ""), (1, "@noise")):
            frames = int(store.valid_frames([clip], (view,))[0, 0])
            for feature, stored in store.read([clip], (view,)).items():
                values = np.load(tmp_path / "arrays" / feature / f"{clip_id}{suffix}.npy")
                np.testing.assert_array_equal(values, stored[0, 0, :, :frames].T)
                assert values.dtype == np.float16


def test_a_pooled_feature_is_exported_as_it_is(encoder_store: Path, tmp_path: Path) -> None:
    store = FeatureStore.open(encoder_store)
    encoder = next(each for each in store.spec.encoders if each.statistics)
    layer, width = encoder.all_layers[-1], encoder.known_architecture.width
    export(
        encoder_store,
        tmp_path / "t.parquet",
        selection=PartSelection.of(features=encoder.name, layers=(layer,)),
    )
    table = pd.read_parquet(tmp_path / "t.parquet")
    names = [f"{encoder.name}.{layer}.{kind}.{i}" for kind in encoder.statistics for i in range(width)]
    assert [column for column in table if column.startswith(f"{encoder.name}.")] == names
    ids = store.manifest["clip_id"].tolist()
    stored = store.read([ids.index(name) for name in table["clip_id"]], (0,), (encoder.name,), (layer,))
    np.testing.assert_array_equal(
        table[names].to_numpy(), stored[encoder.name][0, :, :, 0].astype(np.float32)
    )


def test_bad_clips_are_left_out_and_a_file_is_replaced_only_when_the_new_one_is_whole(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "t.csv"
    target.write_text("mine")
    monkeypatch.setattr(FeatureStore, "read", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(small_store, target)
    with pytest.raises(ZeroDivisionError):
        export(small_store, tmp_path / "arrays")
    assert target.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("name", "selection", "error", "problem"),
    [
        ("t.xlsx", PartSelection(), UsageError, "tells no format; end its name in .csv or .parquet"),
        ("full", PartSelection(), UsageError, "exists and is not an empty folder"),
        ("full.csv", PartSelection(), UsageError, "is a folder; give the path of a csv file"),
        ("t.csv", PartSelection.of(features="mfcc"), UnknownNameError, "no feature 'mfcc'; it has mel, rms"),
        ("t.csv", PartSelection.of(views="slow"), UnknownNameError, "no view 'slow'; it has original"),
        ("t.csv", PartSelection.of(layers=(1,)), UsageError, "no feature is of one; leave it out"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    small_store: Path,
    tmp_path: Path,
    name: str,
    selection: PartSelection,
    error: type[Exception],
    problem: str,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "full.csv").mkdir()
    with pytest.raises(error, match=problem):
        export(small_store, tmp_path / name, selection=selection)


def test_nothing_is_written_into_a_store(own_small_store: Path) -> None:
    with pytest.raises(UsageError, match="is inside the feature store"):
        export(own_small_store, own_small_store / "t.csv")


def _open_as_corpus(folder: Path, recordings: pd.DataFrame) -> Scan:
    for path in recordings["path"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    ((corpus, root),) = locate(f"again={folder}", folder).found
    return corpus.scan(root)


def test_an_audformat_database_is_read_by_its_library_and_as_a_corpus(
    small_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "database"
    report = export(small_store, out, "audformat", PartSelection.of(features="mel"))
    store = FeatureStore.open(small_store)
    manifest = store.manifest
    assert (report.form, report.clips, report.views, report.columns) == ("audformat", 112, ("original",), 32)
    made = audformat.Database.load(str(out))
    clips = made["clips"].get(map={"speaker": ["speaker", "gender"]})
    assert clips.index.tolist() == manifest["path"].tolist()
    for column in ("clip_id", "emotion", "sentence", "gender"):
        assert clips[column].tolist() == manifest[column].tolist()
    assert clips["speaker"].tolist() == [speaker.split("/")[1] for speaker in manifest["speaker"]]
    np.testing.assert_allclose(clips["duration_s"], manifest["duration_s"])
    numbers = made["features"].get()
    assert list(numbers)[:2] == ["mel.mean.0", "mel.mean.1"]
    np.testing.assert_allclose(numbers.iloc[50].astype(float), _expected(store, 50, 0), rtol=1e-5, atol=1e-5)
    assert made.license == "; ".join(entry.licence for entry in store.document.datasets.values())
    again = _open_as_corpus(out, manifest)
    read = {clip.path: (clip.speaker.split("/")[1], clip.gender, clip.emotion) for clip in again.clips}
    speakers = [speaker.split("/")[1] for speaker in manifest["speaker"]]
    expected = zip(manifest["path"], speakers, manifest["gender"], manifest["emotion"], strict=True)
    assert read == {path: (speaker, gender, emotion) for path, speaker, gender, emotion in expected}


def test_segments_and_several_corpora_return_from_an_audformat_database(
    small_demo: Path, tmp_path: Path, tiny_build: Builder
) -> None:
    """audformat → store → audformat: the same segments, speakers and emotions, under the names of corpora."""
    voices = sorted((small_demo / "demo").glob("f01/*.wav"))[:3]
    for corpus, parts in (("talks", [(0.0, 0.4), (0.4, None)]), ("calls", [(None, None)])):
        folder = tmp_path / corpus
        (folder / "wav").mkdir(parents=True)
        shutil.copy(voices[0], folder / "wav" / "a.wav")
        shutil.copy(voices[1 if corpus == "talks" else 2], folder / "wav" / "b.wav")
        made = audformat.Database(corpus, license=f"licence of {corpus}")
        made.schemes["speaker"] = audformat.Scheme(labels={"ann": {"gender": "female"}})
        for name, values in (("emotion", ["anger", "neutral"]), ("speaker", ["ann"] * 2)):
            files = ["wav/a.wav", "wav/b.wav"] if len(parts) == 1 else ["wav/b.wav"] * 2
            index = audformat.filewise_index(files)
            if len(parts) > 1:
                index = audformat.segmented_index(
                    files, [start for start, _ in parts], [pd.NaT if end is None else end for _, end in parts]
                )
            made[name] = audformat.Table(index)
            made[name][name] = audformat.Column(scheme_id="speaker" if name == "speaker" else None)
            made[name][name].set(values)
        made.save(str(folder))
    tiny_build(tmp_path / "s.zarr", tmp_path, f"talks={tmp_path}/talks,calls={tmp_path}/calls")
    export(tmp_path / "s.zarr", tmp_path / "out", "audformat")
    again = audformat.Database.load(str(tmp_path / "out"))
    clips = again["clips"].get(map={"speaker": ["speaker", "gender"]}).reset_index()
    clips["end"] = clips["end"].dt.total_seconds().fillna(-1)
    assert clips[["file", "end", "speaker", "gender", "emotion"]].to_numpy().tolist() == [
        ["calls/wav/a.wav", -1, "calls/ann", "female", "angry"],
        ["calls/wav/b.wav", -1, "calls/ann", "female", "neutral"],
        ["talks/wav/b.wav", 0.4, "talks/ann", "female", "angry"],
        ["talks/wav/b.wav", -1, "talks/ann", "female", "neutral"],
    ]
    assert clips["start"].dt.total_seconds().tolist() == [0, 0, 0, 0.4]
    assert again.license == "licence of calls; licence of talks"


def test_an_audformat_database_has_one_view_a_new_folder_and_its_library(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="one row per recording, but several views"):
        export(small_store, tmp_path / "database", "audformat", SELECTED)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(UsageError, match="is not an empty folder"):
        export(small_store, tmp_path / "full", "audformat")
    monkeypatch.setattr("featurestore.export.audformat_database.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'ser-features\[audformat\]'"):
        export(small_store, tmp_path / "database", "audformat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]
