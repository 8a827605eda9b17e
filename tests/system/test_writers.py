"""Every command that writes, told to write into a store: it says so and leaves the store as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from featurestore.read.cache_folder import cache_folder
from schemas.errors import UsageError
from tests.commands import run

Words = Callable[[Path, Path], tuple[str, ...]]
"""Store, folder that holds everything else → the words of a command."""

WRITERS: dict[str, Words] = {
    "build": lambda store, root: (
        *("ser-features", "build", "--corpora", f"{root}/corpora", "--datasets", "demo"),
        *("--out", f"{store}/inner.zarr"),
    ),
    "build, by a URL": lambda store, root: (
        *("ser-features", "build", "--corpora", f"{root}/corpora", "--datasets", "demo"),
        *("--out", f"file://{store}/demo/inner.zarr"),
    ),
    "demo": lambda store, root: ("ser-features", "demo", "--corpora", f"{store}"),
    "download": lambda store, root: (
        *("ser-features", "download", "ravdess", "--accept-licence", "--corpora", f"{store}/demo"),
    ),
    "listen": lambda store, root: (
        *("ser-features", "listen", f"{store}", "f01_s1_angry_1", "--corpora", f"{root}/corpora"),
        *("--out", f"{store}/sounds"),
    ),
    "report": lambda store, root: (
        "ser-features",
        "report",
        f"{store}",
        "--out",
        f"{store}/demo/report.html",
    ),
    "report of another store": lambda store, root: (
        *("ser-features", "report", f"{root}/link.zarr", "--out", f"{store}/report.html"),
    ),
    "audit": lambda store, root: (*("ser-features", "audit", f"{store}", "--save", f"{store}/split.json"),),
    "audit of folds": lambda store, root: (
        *("ser-features", "audit", f"{store}", "--protocol", "kfold:2", "--save", f"{store}/split.json"),
    ),
    "pack": lambda store, root: ("ser-features", "pack", f"{store}", f"{store}/demo/mel/x.tar"),
    "push": lambda store, root: ("ser-features", "push", f"{store}", f"{store}/pub"),
    "push, by a URL": lambda store, root: ("ser-features", "push", f"{store}", f"file://{store}/pub"),
    "pull": lambda store, root: ("ser-features", "pull", f"{store}", f"{store}/copy.zarr"),
    "pull, through ..": lambda store, root: (
        *("ser-features", "pull", f"{store}", f"{root}/corpora/../{store.name}/./copy.zarr"),
    ),
    "unpack": lambda store, root: ("ser-features", "unpack", f"{root}/s.tar", f"{root}/link.zarr/copy.zarr"),
    "train": lambda store, root: (
        *("ser-train", "--store", f"{store}", "--model", "functionals", "--out", f"{store}/runs"),
    ),
    "train, through a link": lambda store, root: (
        *("ser-train", "--store", f"{store}", "--model", "functionals", "--out", f"{root}/link.zarr/runs"),
    ),
    "resume": lambda store, root: ("ser-train", "--resume", f"{store}/demo"),
    "evaluate": lambda store, root: ("ser-evaluate", f"{root}/run", "--out", f"{store}/result"),
    "export": lambda store, root: ("ser-export", f"{root}/run", f"{store}/demo/model.onnx"),
}


@pytest.fixture
def own_store(tmp_path: Path) -> Path:
    """A folder that looks like a store; nothing of it is read before the place to write to is checked."""
    folder = tmp_path / "own.zarr"
    (folder / "demo" / "mel").mkdir(parents=True)
    (folder / "store.json").write_text("{}")
    return folder


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_refuses_to_write_into_a_store(writer: str, own_store: Path, tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "link.zarr").symlink_to(own_store)
    (tmp_path / "s.tar").touch()
    before = _listing(own_store)
    program, *words = WRITERS[writer](own_store, tmp_path)
    ended = run(program, *words, status=2, cwd=tmp_path)
    assert "is inside the feature store own.zarr, which holds only its own objects" in " ".join(
        ended.stderr.split()
    )
    assert _listing(own_store) == before


def test_the_cache_may_not_be_in_a_store(own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_CACHE", f"{own_store}/cache")
    with pytest.raises(UsageError, match=f"SER_CACHE {own_store}/cache is inside the feature store"):
        cache_folder()


def test_a_store_within_a_store_of_an_earlier_release_is_not_extended(
    own_store: Path, tmp_path: Path
) -> None:
    inner = Path(shutil.copytree(own_store, own_store / "inner.zarr"))
    before = _listing(own_store)
    run(
        *("ser-features", "build", "--corpora", tmp_path, "--datasets", "demo", "--check", "--out", inner),
        status=2,
    )
    assert _listing(own_store) == before


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))
