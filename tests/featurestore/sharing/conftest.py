"""Stores to share, and places of every kind to share them at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from featurestore.store import FeatureStore
from tests.tiny_store import Builder

Second = Callable[[], Path]


@pytest.fixture(scope="session")
def grown_store(
    tiny_store: Path, small_demo: Path, tiny_build: Builder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny store with a second corpus of seven clips. Shared: do not change it."""
    root = tmp_path_factory.mktemp("grown")
    for source in sorted((small_demo / "demo" / "f01").glob("*.wav")):
        folder = root / "mine" / source.name.split("_")[2]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / source.name)
    out = Path(shutil.copytree(tiny_store, root / "grown.zarr"))
    tiny_build(out, root, f"mine={root / 'mine'}")
    return out


@pytest.fixture(params=["folder", "s3", pytest.param("sftp", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of each kind to which one can push."""
    match request.param:
        case "folder":
            return str(tmp_path / "published")
        case "s3":
            return str(request.getfixturevalue("s3_url"))
        case _:
            server = request.getfixturevalue("sftp")
            return str(server.url(tmp_path / "published"))


def digest_of(store: Path | str) -> str:
    """Digest of a store that can be opened."""
    return FeatureStore.open(store).digest


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the builders' lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".build")
    }


def size_of(store: Path | str) -> int:
    """Bytes of a store's objects."""
    return sum(entry.bytes for entry in FeatureStore.open(store).document.objects.values())
