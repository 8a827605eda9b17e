"""A store pushed to real servers and brought back, read on the way by others and by ourselves."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray
import zarr

from featurestore.format.layout import LATEST, STORE_JSON
from featurestore.places.remote import Remote
from featurestore.sharing.pull import pull
from featurestore.sharing.push import push
from featurestore.store import FeatureStore
from featurestore.verify import verify
from tests.featurestore.sharing.conftest import digest_of, files_of, size_of
from tests.servers.web import Web, web_server


def test_what_was_pushed_is_pulled_byte_for_byte(url: str, tiny_store: Path, tmp_path: Path) -> None:
    sent = push(tiny_store, url)
    assert sent.bytes_reused == sent.bytes_there == 0
    assert sent.bytes_sent == size_of(tiny_store) + (tiny_store / STORE_JSON).stat().st_size
    pulled = pull(url, tmp_path / "pulled.zarr")
    assert pulled.bytes_fetched == size_of(tiny_store)
    assert files_of(tmp_path / "pulled.zarr") == files_of(tiny_store)
    assert verify(url, full=True).ok


def test_pushing_and_pulling_again_moves_nothing(url: str, tiny_store: Path, tmp_path: Path) -> None:
    push(tiny_store, url)
    again = push(tiny_store, url)
    assert (again.bytes_sent, again.versions) == (0, 1)
    assert again.bytes_there == size_of(tiny_store)
    pull(url, tmp_path / "pulled.zarr")
    assert pull(url, tmp_path / "pulled.zarr").bytes_fetched == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_a_published_folder_is_served_by_any_web_server(
    ranges: bool, tiny_store: Path, tmp_path: Path
) -> None:
    push(tiny_store, tmp_path / "web")
    with web_server(tmp_path / "web", ranges=ranges) as web:
        assert (
            FeatureStore.open(web.url).read([5])["mel"].tobytes()
            == FeatureStore.open(tiny_store).read([5])["mel"].tobytes()
        )
        pull(web.url, tmp_path / "pulled.zarr")
    assert files_of(tmp_path / "pulled.zarr") == files_of(tiny_store)


def test_the_web_is_not_pushed_to(web: Web, tiny_store: Path) -> None:
    with pytest.raises(OSError, match="are read-only; choose another place"):
        push(tiny_store, web.url)


def test_s3_is_read_by_others_without_this_package(s3_url: str, tiny_store: Path) -> None:
    """By xarray, zarr and pandas, from the plain objects of a version."""
    version = f"{s3_url}/versions/{push(tiny_store, s3_url).version}"
    truth = FeatureStore.open(tiny_store)
    options = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]}
    tree = xarray.open_datatree(version, engine="zarr", storage_options=options)
    assert tree["demo"]["mel"].dims == ("view", "clip", "mel_band", "frame")
    assert np.array_equal(tree["demo"]["mel"][1, 300:302].to_numpy(), truth.read([300, 301], [1])["mel"][0])
    group = zarr.open_group(version, mode="r", storage_options=options)
    values = np.asarray(group["demo/rms"][0, 7:9])  # type: ignore[index]
    assert np.array_equal(values, truth.read([7, 8])["rms"][0])
    manifest = pd.read_parquet(f"{version}/manifest.parquet", storage_options=options)
    assert manifest["clip_id"].tolist() == truth.manifest["clip_id"].tolist()


def test_a_reader_fetches_once_and_then_only_asks_for_the_version(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    push(tiny_store, tmp_path / "web")
    truth = FeatureStore.open(tiny_store)
    with web_server(tmp_path / "web") as web:
        first = FeatureStore.open(web.url)
        assert np.array_equal(
            first.read([0, 300, 671], [0, 2])["mel"], truth.read([0, 300, 671], [0, 2])["mel"]
        )
        assert first.manifest.equals(truth.manifest)
        assert any("/mel/c/" in path for _, path, _ in web.requests)
        web.requests.clear()
        second = FeatureStore.open(web.url)
        assert np.array_equal(
            second.read([0, 300, 671], [0, 2])["mel"], truth.read([0, 300, 671], [0, 2])["mel"]
        )
        assert second.manifest.equals(truth.manifest)
        asked = {path.rsplit("/", 1)[1] for _, path, _ in web.requests}
    assert asked == {STORE_JSON, LATEST}


def test_pushing_again_writes_nothing_at_all(
    s3_url: str, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(tiny_store, s3_url)
    monkeypatch.setattr(Remote, "write", None)
    monkeypatch.setattr(Remote, "create", None)
    assert push(tiny_store, s3_url).versions == 1


def test_a_store_built_in_place_is_pulled(tiny_store: Path, tmp_path: Path) -> None:
    with web_server(tiny_store) as web:
        pull(web.url, tmp_path / "pulled.zarr")
    assert digest_of(tmp_path / "pulled.zarr") == digest_of(tiny_store)


def test_nothing_private_is_published(tiny_store: Path, tmp_path: Path) -> None:
    push(tiny_store, tmp_path / "published")
    words = [word for word in (str(tmp_path), str(tiny_store), os.uname().nodename) if len(word) > 5]
    for name, data in files_of(tmp_path / "published").items():
        assert not any(word.encode() in data for word in words), name
