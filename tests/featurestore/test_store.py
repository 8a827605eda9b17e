import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featurestore.format.documents import StoredObject, StoreDocument, read_document, write_document
from featurestore.format.layout import STORE_JSON, shard_path
from featurestore.format.seal import seal, unseal
from featurestore.places.folder import Folder
from featurestore.store import FeatureStore
from schemas.errors import (
    StoreDamagedError,
    StoreNotFoundError,
    StoreUnfinishedError,
    UsageError,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    clips=st.lists(st.integers(0, 671), max_size=40),
    views=st.lists(st.integers(0, 2), min_size=1, max_size=3),
)
def test_reading_gives_the_rows_asked_for_in_their_order(
    tiny_store: Path, clips: list[int], views: list[int]
) -> None:
    plain = zarr.open_group(tiny_store, mode="r")["demo/mel"][:]
    values = FeatureStore.open(tiny_store).read(clips, views, ["mel"])["mel"]
    assert values.shape == (len(views), len(clips), 16, 32)
    assert np.array_equal(values, plain[views][:, clips])


def test_statistics_are_those_of_the_valid_frames(tiny_store: Path) -> None:
    store = FeatureStore.open(tiny_store)
    speakers, views = ["demo/f01", "demo/m03"], (0, 2)
    chosen = store.manifest.index[store.manifest["speaker"].isin(speakers)].to_numpy()
    values = store.read(chosen, views)
    valid = store.valid_frames(chosen, views)
    for feature, moments in store.statistics(speakers, views).items():
        frames = np.concatenate(
            [
                values[feature][v, c, :, : valid[v, c]].astype(np.float64)
                for v in range(len(views))
                for c in range(len(chosen))
            ],
            axis=1,
        )
        assert moments.count == frames.shape[1]
        assert np.allclose(moments.mean, frames.mean(axis=1), rtol=1e-5)
        assert np.allclose(moments.std, frames.std(axis=1), rtol=1e-5)


def test_statistics_of_nobody_are_empty(tiny_store: Path) -> None:
    assert FeatureStore.open(tiny_store).statistics([])["mel"].count == 0


def test_xarray_opens_the_store_with_coordinates(tiny_store: Path) -> None:
    with xarray.open_datatree(tiny_store, engine="zarr") as tree:
        mel = tree["demo"]["mel"]
        assert mel.dims == ("view", "clip", "mel_band", "frame")
        assert np.allclose(mel["frame"], np.arange(32) * 128 / 8000)
        assert float(mel["mel_band"][-1]) < 4000
    assert FeatureStore.open(tiny_store).to_xarray()["demo"]["rms"].shape == (3, 672, 1, 32)


def test_tables_open_with_pandas_alone(tiny_store: Path) -> None:
    import pandas as pd

    manifest = pd.read_parquet(tiny_store / "manifest.parquet")
    views = pd.read_parquet(tiny_store / "views.parquet")
    assert set(manifest["emotion"]) <= {"angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"}
    assert views["parameter"].isna().sum() == 672
    assert not manifest["path"].str.startswith("/").any()


def test_nothing_of_this_machine_is_in_the_store(tiny_store: Path, whole_demo: Path) -> None:
    import getpass
    import socket

    names = [name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 5]
    private = [str(whole_demo), str(tiny_store.parent), *names]
    for path in tiny_store.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [word for word in private if word.encode() in data], path


class TestOpening:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFoundError, match="ser-features build"):
            FeatureStore.open(tmp_path / "none.zarr")

    def test_not_finished(self, own_store: Path) -> None:
        (own_store / STORE_JSON).unlink()
        with pytest.raises(StoreUnfinishedError, match="not finished"):
            FeatureStore.open(own_store)

    def test_an_edited_document(self, own_store: Path) -> None:
        document = json.loads(unseal((own_store / STORE_JSON).read_bytes())[0])
        document["spec"]["seed"] = 1
        (own_store / STORE_JSON).write_bytes(seal(json.dumps(document)))
        with pytest.raises(StoreDamagedError, match="digest"):
            FeatureStore.open(own_store)

    def test_an_edited_manifest(self, own_store: Path) -> None:
        with (own_store / "manifest.parquet").open("ab") as file:
            file.write(b"\0")
        with pytest.raises(StoreDamagedError, match=r"manifest\.parquet"):
            _ = FeatureStore.open(own_store).manifest

    @pytest.mark.parametrize(
        "name", ["../x", "/etc/passwd", "a/../../b", "a\\b", "", "a//b", "./a", "demo/more"]
    )
    def test_an_object_that_the_specification_does_not_ask_for(self, name: str, own_store: Path) -> None:
        place = Folder(own_store)
        document = read_document(place, STORE_JSON, StoreDocument)
        objects = {**document.objects, name: StoredObject.of(b"x")}
        changed = document.model_copy(update={"objects": objects})
        write_document(place, STORE_JSON, changed.model_copy(update={"digest": changed.computed_digest()}))
        with pytest.raises(StoreDamagedError, match="do not use this store"):
            FeatureStore.open(own_store)


class TestDamage:
    SHARD = shard_path("demo", "mel", 1, 1)

    def test_a_missing_shard_is_an_error_and_not_nan(self, own_store: Path) -> None:
        (own_store / self.SHARD).unlink()
        with pytest.raises(StoreDamagedError, match=f"{self.SHARD} in .* is missing .clips demo/f07"):
            FeatureStore.open(own_store).read([300], (1,), ["mel"])

    def test_flipped_bits_are_an_error_and_not_numbers(self, own_store: Path) -> None:
        """Every byte is hashed before the first number is taken."""
        path = own_store / self.SHARD
        original = path.read_bytes()
        rng = np.random.default_rng(0)
        for position in rng.integers(0, len(original), 60):
            data = bytearray(original)
            data[position] ^= 1 << rng.integers(8)
            path.write_bytes(data)
            with pytest.raises(StoreDamagedError, match=r"does not match store\.json"):
                FeatureStore.open(own_store).read(range(256, 512), (1,), ["mel"])
        path.write_bytes(original)
        assert FeatureStore.open(own_store).read(range(256, 512), (1,), ["mel"])

    def test_swapped_shards_are_an_error_and_not_the_numbers_of_others(self, own_store: Path) -> None:
        one, two = (own_store / shard_path("demo", "mel", view, 0) for view in (0, 1))
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)
        with pytest.raises(StoreDamagedError, match=r"does not match store\.json"):
            FeatureStore.open(own_store).read([0], (0,), ["mel"])
        with pytest.raises(StoreDamagedError, match=r"does not match store\.json"):
            FeatureStore.open(own_store).arrays["demo"]["mel"][1, 0]

    def test_views_and_features_that_are_not_there(self, tiny_store: Path) -> None:
        store = FeatureStore.open(tiny_store)
        with pytest.raises(UsageError, match=r"no view 3; it has 0 to 2 \(original, noise, fast\)"):
            store.read([0], (3,))
        with pytest.raises(UsageError, match="no feature 'chroma'; it has mel, rms"):
            store.read([0], (0,), ["chroma"])
        with pytest.raises(UsageError, match="0 and 671, got 672"):
            store.read([672])


def test_reading_imports_no_audio_library_and_no_corpus(tiny_store: Path) -> None:
    """Somebody with a pulled store alone pays for none of them."""
    code = (
        "import sys; from featurestore.store import FeatureStore; "
        f"s = FeatureStore.open({str(tiny_store)!r}); s.read([0]); s.views; s.statistics(['demo/f01']); "
        "print([m for m in ('torch', 'torchaudio', 'soundfile', 'soxr', 'nvidia', 'data', 'pipelines') "
        "if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_store_in_a_folder_whose_name_is_not_utf8_reads_the_same(tiny_store: Path, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.zarr"))
    shutil.copytree(tiny_store, folder)
    expected = FeatureStore.open(tiny_store).read([0, 5], [0, 2])
    found = FeatureStore.open(folder).read([0, 5], [0, 2])
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)
