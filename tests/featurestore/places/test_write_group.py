"""Objects that are written together: all there at the end, and in a folder flushed in the right order."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from featurestore.places import write_group as module
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.places.write_group import write_group
from schemas.errors import StorageError, StoreDamagedError

OBJECTS = {f"demo/mel/c/{view}/{unit}/0/0": f"{view} {unit}".encode() for view in range(3) for unit in (0, 1)}


def write_all(place: Place, objects: dict[str, bytes]) -> None:
    with write_group(place) as group:
        for name, data in objects.items():
            group.write(name, data)
        group.finish()


def test_all_objects_are_there_and_replaced(place: Place) -> None:
    place.write(next(iter(OBJECTS)), b"before")
    write_all(place, OBJECTS)
    assert {name: place.read(name, 100) for name in place.sizes()} == OBJECTS


def test_more_files_than_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILES_AT_ONCE", 4)
    write_all(Folder(tmp_path), OBJECTS)
    assert Folder(tmp_path).sizes() == {name: len(data) for name, data in OBJECTS.items()}


class Disk:
    """What a program asks of the disk, in order: ("flush" or "rename", path)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, Path]] = []
        flush, replace = os.fsync, os.replace

        def fsync(descriptor: int) -> None:
            self.calls.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink()))
            flush(descriptor)

        def rename(source: Any, target: Any) -> None:
            self.calls.append(("rename", Path(target)))
            replace(source, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", rename)


def test_files_are_flushed_before_any_is_renamed_and_each_folder_once_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    write_all(Folder(tmp_path / "s.zarr"), OBJECTS)
    what = [what for what, _ in disk.calls]
    count = len(OBJECTS)
    assert what[: 2 * count] == ["flush"] * count + ["rename"] * count
    assert {path.name for _, path in disk.calls[:count]} != {"0"}  # partial files
    assert {path for _, path in disk.calls[count : 2 * count]} == {tmp_path / "s.zarr" / n for n in OBJECTS}
    above = {folder for name in OBJECTS for folder in (tmp_path / "s.zarr" / name).parents}
    folders = {folder for folder in above if folder.is_relative_to(tmp_path / "s.zarr")}
    assert Counter(path for _, path in disk.calls[2 * count :]) == dict.fromkeys(folders, 1)


def test_a_group_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with write_group(Folder(tmp_path)) as group:
        group.write("demo/a", b"a")
    assert Folder(tmp_path).sizes() == {}


@pytest.mark.parametrize("refused", range(3))
def test_a_disk_that_refuses_a_flush_names_the_file(
    refused: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match=f"demo/{'abc'[refused]}: the disk is full; free some space"):
        write_all(Folder(tmp_path), {"demo/a": b"1", "demo/b": b"2", "demo/c": b"3"})
    assert Folder(tmp_path).sizes() == {}


def test_a_link_out_of_the_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "s.zarr").mkdir()
    (tmp_path / "s.zarr" / "demo").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreDamagedError, match="leads out of the store through a link"):
        write_all(Folder(tmp_path / "s.zarr"), {"demo/mel": b"1"})
    assert not list((tmp_path / "outside").iterdir())
