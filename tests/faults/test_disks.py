"""Disks that are full, read-only or closed to the user: one sentence, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from featurestore.build import BuildRequest, build
from featurestore.format.layout import STORE_JSON
from featurestore.places.names import LOCK
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import SerError, StorageError, StoreUnfinishedError
from tests.faults.children import Children
from tests.faults.conftest import Sound
from tests.faults.reading import RIGHT, outcomes

NOBODY = 65534
PAGE = 4096


class TestFull:
    """The disk takes everything up to an object, and not that object: in shards, records and finalising."""

    @pytest.mark.parametrize(
        "first_refused",
        [
            "demo/mel/c/0/0/0/0",
            "records/demo/00000.parquet",
            "records/demo/00001.json",
            "manifest.parquet",  # and the other tables, by the same writer
            "zarr.json",
            STORE_JSON,
        ],
    )
    @pytest.mark.slow
    def test_full_at(self, first_refused: str, small_disk: Path, sound: Sound) -> None:
        out = small_disk / "s.zarr"
        _leave_free(small_disk, _pages_before(sound.path, first_refused) * PAGE)
        with pytest.raises(
            StorageError, match="the disk is full; free some space and run the same"
        ) as refused:
            sound.build(out)
        assert first_refused in str(refused.value)
        assert not list(out.rglob("*.partial"))
        with pytest.raises((StoreUnfinishedError, StorageError)):
            FeatureStore.open(out)
        (small_disk / "ballast").unlink()
        assert sound.build(out).document.digest == sound.digest
        result = verify(out, full=True)
        assert result.ok
        assert result.strangers == ()

    def test_full_while_a_store_grows(self, small_disk: Path, sound: Sound, tmp_path: Path) -> None:
        """A further corpus: the old store stays valid and readable all the time."""
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        out = Path(shutil.copytree(sound.path, small_disk / "s.zarr"))
        request = sound.request(out, datasets=_second_corpus(sound.corpora, tmp_path))
        _leave_free(small_disk, 10 * PAGE)
        with pytest.raises(StorageError, match="the disk is full"):
            build(request)
        assert FeatureStore.open(out).digest == sound.digest
        assert set(outcomes(out, sound.truth, "a full disk").values()) == {RIGHT}
        (small_disk / "ballast").unlink()
        assert build(request).document.datasets.keys() == {"demo", "mine"}
        assert verify(out, full=True).ok


class TestReadOnly:
    @pytest.fixture
    def read_only(self, small_disk: Path, sound: Sound) -> Iterator[Path]:
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        out = Path(shutil.copytree(sound.path, small_disk / "s.zarr"))
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        yield out
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)

    def test_a_read_only_store_is_read_and_verified(self, read_only: Path, sound: Sound) -> None:
        assert set(outcomes(read_only, sound.truth, "read-only").values()) == {RIGHT}
        assert verify(read_only, full=True).ok

    @pytest.mark.parametrize("check", [False, True])
    def test_building_there_is_one_sentence(self, check: bool, read_only: Path, sound: Sound) -> None:
        with pytest.raises(StorageError, match="file system is read-only; make it writable"):
            sound.build(read_only, check=check)
        assert FeatureStore.open(read_only).digest == sound.digest


def as_nobody(request: BuildRequest, place: str) -> list[str]:
    """What a user without rights is told by a build, and by opening and verifying what is not theirs."""
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    told = []
    acts: tuple[Callable[[], object], ...] = (
        lambda: build(request) and "",
        lambda: FeatureStore.open(place).manifest.empty or "",
        lambda: "; ".join(f"{found.name}: {found.detail}" for found in verify(place, full=True).findings),
    )
    for act in acts:
        try:
            told.append(str(act()))
        except SerError as error:
            told.append(f"{type(error).__name__}: {error}")
    return told


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
class TestPermissions:
    @pytest.fixture
    def public(self, sound: Sound) -> Iterator[Path]:
        """A place that anybody can walk into: pytest's own folders are closed."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            yield Path(shutil.copytree(sound.path, Path(folder) / "s.zarr"))

    def test_somebody_elses_store_is_read_and_not_written(
        self, public: Path, sound: Sound, whole_demo: Path, children: Children
    ) -> None:
        before = _states(public)
        built, opened, verified = self._told(children, sound, public)
        assert built.startswith("StorageError: cannot write"), built
        assert "permission denied; change the permissions" in built
        assert (opened, verified) == ("", "")
        assert _states(public) == before

    def test_a_closed_folder(self, public: Path, sound: Sound, children: Children) -> None:
        public.chmod(0o700)
        for sentence in self._told(children, sound, public):
            assert sentence.startswith("StorageError: cannot"), sentence
            assert "ermission denied" in sentence, sentence

    @pytest.mark.parametrize("name", ["manifest.parquet", STORE_JSON])
    def test_a_closed_object(self, name: str, public: Path, sound: Sound, children: Children) -> None:
        (public / name).chmod(0o600)
        _, opened, verified = self._told(children, sound, public)
        for sentence in (opened, verified):
            assert "ermission denied" in sentence, sentence
            assert name in sentence, sentence

    def test_closed_corpora(self, public: Path, sound: Sound, children: Children) -> None:
        built, *_ = self._told(children, sound, public, corpora_mode=0o700)
        assert "ermission denied" in built

    @staticmethod
    def _told(children: Children, sound: Sound, place: Path, corpora_mode: int = 0o755) -> Any:
        corpora = place.parent / "corpora"
        shutil.copytree(sound.corpora, corpora)
        corpora.chmod(corpora_mode)
        recipe = Path(shutil.copy(str(sound.spec.recipe), place.parent))
        request = sound.request(place, corpora=corpora, spec=replace(sound.spec, recipe=str(recipe)))
        answer = children.start(as_nobody, request, str(place)).result()
        assert isinstance(answer, list), "".join(getattr(answer, "__notes__", [repr(answer)]))
        return answer


def _pages_before(store: Path, refused: str) -> int:
    """Pages that a build takes until it writes ``refused``, by the order in which objects are written."""
    order = ["demo/zarr.json", "records/demo/corpus.json"]
    for unit in range(3):
        order += [f"demo/{feature}/c/{view}/{unit}/0/0" for feature in ("mel", "rms") for view in range(3)]
        order += [f"records/demo/{unit:05d}.parquet", f"records/demo/{unit:05d}.json"]
    order += ["manifest.parquet", "views.parquet", "statistics.parquet", "zarr.json"]
    if refused == STORE_JSON:
        order += [path.relative_to(store).as_posix() for path in store.glob("demo/**/zarr.json")][1:]
        order += [path.relative_to(store).as_posix() for path in store.glob("demo/*/c/0") if path.is_file()]
    else:
        order = order[: order.index(refused)]
    token_and_first_root = 2
    return token_and_first_root + sum(-(-(store / name).stat().st_size // PAGE) for name in order)


def _leave_free(disk: Path, free: int) -> None:
    """Fill a disk until so many bytes are left; it is made large enough for them before."""
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)


def _second_corpus(corpora: Path, tmp_path: Path) -> str:
    folder = tmp_path / "mine" / "angry"
    folder.mkdir(parents=True)
    for path in sorted((corpora / "demo" / "f01").glob("*angry*")):
        shutil.copy(path, folder)
    return f"mine={folder.parent}"


def _states(store: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in store.rglob("*")
        if path.is_file() and path.name != LOCK
    }
