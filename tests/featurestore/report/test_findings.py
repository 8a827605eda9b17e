"""The report's numbers against numpy and pandas, on tables and arrays that others read whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import zarr

import featurestore.report.blocks as blocks
from featurestore.progress import Silent
from featurestore.report.examples import typical_clip
from featurestore.report.findings import StoreFindings, examine, findings_json
from featurestore.report.measures import QUANTILES
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError
from tests.featurestore.report.conftest import MEL, MFCC, RMS, MakeStore
from tests.hostile.forge import Forge, forged


@pytest.fixture(scope="module")
def found(store: Path) -> StoreFindings:
    return examine(FeatureStore.open(store), Silent())


@pytest.fixture(scope="module")
def manifest(store: Path) -> pd.DataFrame:
    return pd.read_parquet(store / "manifest.parquet")


@pytest.fixture(scope="module")
def usable(manifest: pd.DataFrame) -> pd.DataFrame:
    return manifest[manifest["status"] == "ok"]


def originals(store: Path, clips: pd.DataFrame, feature: str) -> list[npt.NDArray[np.float64]]:
    """(coefficient, valid frame) of each of ``clips``, by zarr-python and ``views.parquet``."""
    views = pd.read_parquet(store / "views.parquet").query("view == 0").set_index("clip_id")["valid_frames"]
    arrays = {
        name: zarr.open_array(store / name / feature, mode="r")[0] for name in clips["dataset"].unique()
    }
    return [
        np.asarray(arrays[clip.dataset][clip.row, :, : views[clip.clip_id]], np.float64)
        for clip in clips.itertuples()
    ]


def test_clips_are_counted_as_a_crosstab_counts_them(found: StoreFindings, usable: pd.DataFrame) -> None:
    held = found.contents
    table = pd.crosstab([usable["dataset"], usable["gender"]], usable["emotion"])
    assert held.counts.sum() == len(usable) == 672 + 8
    for corpus, of in zip(held.corpora, held.counts, strict=True):
        for gender, clips in zip(held.genders, of, strict=True):
            for emotion, count in zip(held.emotions, clips, strict=True):
                cell = (corpus.name, gender)
                there = cell in table.index and emotion in table.columns
                assert count == (table.loc[cell, emotion] if there else 0)
    assert held.bad == 3
    assert {corpus.name: corpus.bad for corpus in held.corpora} == {"demo": 0, "own": 3}


def test_an_emotion_all_of_whose_clips_are_bad_is_there_with_zero(found: StoreFindings) -> None:
    bored = found.contents.emotions.index("bored")
    assert found.contents.counts[:, :, bored].sum() == 0
    assert "bored" not in {example.emotion for example in found.examples}
    assert found.means is not None
    assert np.isnan(found.means.spectrum[bored]).all()


def test_balance_is_that_of_the_counts(found: StoreFindings, usable: pd.DataFrame) -> None:
    own = next(balance for balance in found.contents.balance if balance.name == "own")
    shares = usable[usable["dataset"] == "own"]["emotion"].value_counts(normalize=True)
    emotions = found.contents.emotions
    assert dict(zip(emotions, own.shares, strict=True)) == pytest.approx(
        {emotion: shares.get(emotion, 0.0) for emotion in emotions}
    )
    assert (own.classes, own.imbalance, own.chance_ua) == (2, pytest.approx(5 / 3), 0.5)
    assert own.majority_wa == pytest.approx(5 / 8)


def test_speakers_and_durations_are_those_of_the_manifest(found: StoreFindings, usable: pd.DataFrame) -> None:
    for corpus in found.contents.corpora:
        part = usable[usable["dataset"] == corpus.name]
        sizes = part.groupby("speaker").size()
        spread = corpus.clips_per_speaker
        assert spread is not None
        assert (corpus.speakers, spread.least, spread.most) == (len(sizes), sizes.min(), sizes.max())
        assert spread.median == sizes.median()
        assert corpus.hours == pytest.approx(part["duration_s"].sum() / 3600)
        assert corpus.sentences == part.loc[part["sentence"] != "", "sentence"].nunique()
    for measure in (found.duration, *found.quality):
        for corpus in measure.corpora:
            column = (
                usable.loc[usable["dataset"] == corpus.corpus, measure.column.name] * measure.column.scale
            )
            assert corpus.known == column.notna().sum() == sum(corpus.histogram)
            assert corpus.unknown == column.isna().sum()
            if corpus.known:
                assert corpus.quantiles == pytest.approx(column.quantile(list(QUANTILES)).tolist())
    assert {
        (f.corpus, f.sample_rate, f.channels): f.clips for f in found.formats if f.sample_rate
    } == usable.groupby(["dataset", "sample_rate", "channels"]).size().to_dict()


def test_every_bad_clip_and_every_note_is_told(found: StoreFindings, manifest: pd.DataFrame) -> None:
    bad = manifest[manifest["status"] != "ok"]
    assert [(r.clip_id, r.problem) for r in found.problems.bad] == list(
        zip(bad["clip_id"], bad["problem"], strict=True)
    )
    assert len(found.problems.bad) == 3
    noted = manifest[(manifest["status"] == "ok") & (manifest["problem"] != "")]
    assert [remark.clip_id for remark in found.problems.noted] == noted["clip_id"].tolist()


def test_mean_spectra_are_those_of_the_whole_arrays(
    found: StoreFindings, store: Path, usable: pd.DataFrame
) -> None:
    means = found.means
    assert means is not None
    for place, emotion in enumerate(means.emotions):
        clips = originals(store, usable[usable["emotion"] == emotion], "mel")
        assert means.frames[place] == sum(clip.shape[1] for clip in clips)
        if not clips:
            continue
        frames = np.concatenate(clips, axis=1)
        np.testing.assert_allclose(means.spectrum[place], frames.mean(axis=1), rtol=1e-12)
        for frame in (0, 20, means.spectrogram.shape[2] - 1):
            sounding = [clip[:, frame] for clip in clips if clip.shape[1] > frame]
            assert means.clips[place, frame] == len(sounding)
            if sounding:
                np.testing.assert_allclose(
                    means.spectrogram[place, :, frame], np.mean(sounding, axis=0), rtol=1e-12
                )
            else:
                assert np.isnan(means.spectrogram[place, :, frame]).all()


def test_correlation_is_numpys_over_all_valid_frames(
    found: StoreFindings, store: Path, usable: pd.DataFrame
) -> None:
    frames = np.concatenate(originals(store, usable, "mfcc"), axis=1)
    assert found.correlation is not None
    assert found.correlation.frames == frames.shape[1]
    np.testing.assert_allclose(found.correlation.matrix, np.corrcoef(frames), atol=1e-12)
    np.testing.assert_allclose(found.correlation.mean, frames.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.correlation.std, frames.std(axis=1), rtol=1e-10)
    i, j, r = found.correlation.strongest or (0, 0, 0.0)
    apart = np.corrcoef(frames) - np.eye(len(frames))
    assert abs(r) == pytest.approx(np.abs(apart).max())
    assert r == pytest.approx(apart[i, j])


def test_blocks_of_any_size_give_the_same(
    found: StoreFindings, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MOST_BLOCK_BYTES", 1)
    monkeypatch.setattr(blocks, "PIECE_BYTES", 1)
    opened = FeatureStore.open(store)
    assert blocks.block_clips(opened, "mel") == 32
    again = examine(opened, Silent())
    assert found.means is not None
    assert again.means is not None
    np.testing.assert_allclose(again.means.spectrogram, found.means.spectrogram, rtol=1e-12)
    assert again.correlation is not None
    assert found.correlation is not None
    np.testing.assert_allclose(again.correlation.matrix, found.correlation.matrix, atol=1e-12)


def test_an_example_is_the_usable_clip_nearest_the_median_duration(
    found: StoreFindings, store: Path, usable: pd.DataFrame
) -> None:
    for example in found.examples:
        part = usable[usable["emotion"] == example.emotion]
        away = (part["duration_s"] - part["duration_s"].median()).abs()
        nearest = part[away == away.min()].sort_values("clip_id").iloc[0]
        assert example.clip_id == nearest["clip_id"]
        views = pd.read_parquet(store / "views.parquet").query("clip_id == @example.clip_id")
        array = zarr.open_array(store / nearest["dataset"] / "mel", mode="r")
        for view, row in zip(example.views, views.itertuples(), strict=True):
            np.testing.assert_array_equal(view.mel, array[row.view, nearest["row"], :, : row.valid_frames])
        assert example.views[0].drawn == ""
        noise, later, fast = (view.drawn for view in example.views[1:])
        assert noise == f"SNR {views['parameter'].iloc[1]:.1f} dB"
        moved = views["parameter"].iloc[2]
        assert later == f"{moved / 8000:+.3f} s ({moved:+.0f} samples)".replace("-", "−")
        assert fast == "× 1.250"


def test_a_clip_of_unknown_duration_is_an_example_only_where_there_is_no_other() -> None:
    table = pd.DataFrame(
        {
            "clip_id": ["c", "b", "a"],
            "emotion": ["sad", "sad", "happy"],
            "status": ["ok", "ok", "ok"],
            "duration_s": [np.nan, 2.0, np.nan],
        }
    )
    assert typical_clip(table, "sad") == 1
    assert typical_clip(table, "happy") == 2
    assert typical_clip(table, "angry") is None


def test_the_numbers_as_json_have_no_number_that_json_has_not(found: StoreFindings) -> None:
    import json

    text = json.dumps(findings_json(found), allow_nan=False)
    read = json.loads(text)
    assert len(read["mfcc"]["matrix"]) == 10
    assert np.shape(read["counts"]) == found.contents.counts.shape
    assert read["mel"]["mean_db"][found.contents.emotions.index("bored")] == [None] * 24


@pytest.mark.parametrize(
    ("features", "mel", "mfcc"), [(RMS, False, False), (MEL, True, False), (MFCC, False, True)]
)
def test_what_a_store_has_not_is_not_computed(
    features: str, mel: bool, mfcc: bool, make: MakeStore, small_demo: Path
) -> None:
    found = examine(FeatureStore.open(make(features=features, corpora=small_demo)), Silent())
    assert (found.means is not None, found.correlation is not None) == (mel, mfcc)
    assert bool(found.examples) == (found.axes is not None) == mel


def damaged(store: Path, target: Path, name: str) -> Path:
    forge = forged(store, target)
    path = forge.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return target


def test_damaged_bytes_are_refused_and_not_averaged(store: Path, tmp_path: Path) -> None:
    changed = damaged(store, tmp_path / "d.zarr", "demo/mfcc/c/0/1/0/0")
    with pytest.raises(StoreDamagedError, match=r"demo/mfcc/c/0/1/0/0.*demo/"):
        examine(FeatureStore.open(changed), Silent())


def test_a_view_that_is_not_drawn_is_not_read(store: Path, tmp_path: Path, usable: pd.DataFrame) -> None:
    changed = damaged(store, tmp_path / "d.zarr", "demo/mfcc/c/1/0/0/0")
    assert examine(FeatureStore.open(changed), Silent()).correlation is not None


def test_statistics_that_do_not_fit_the_arrays_are_told(store: Path, tmp_path: Path) -> None:
    """A stranger's store may hash well and yet hold tables and arrays of two minds."""
    forge: Forge = forged(store, tmp_path / "f.zarr")
    table = forge.table("statistics.parquet").to_pandas()
    table["mean"] = [np.asarray(mean) + 1e-3 for mean in table["mean"]]
    import pyarrow as pa

    from featurestore.format.statistics import STATISTICS_SCHEMA

    forge.put_table(
        "statistics.parquet", pa.Table.from_pandas(table, STATISTICS_SCHEMA, preserve_index=False)
    )
    forge.seal()
    with pytest.raises(StoreDamagedError, match=r"statistics\.parquet.* does not match the originals of mel"):
        examine(FeatureStore.open(forge.folder), Silent())
