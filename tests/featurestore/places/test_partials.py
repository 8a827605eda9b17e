"""What a killed process left of a file is removed by the next one that writes it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from featurestore.places import durable, partials
from featurestore.places.durable import write_durably, write_together
from featurestore.places.folder import Folder
from featurestore.places.partials import sweep_folder, sweep_partials, write_partial
from featurestore.places.remote import Remote


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.tar.0123abcd.partial").write_bytes(b"left")
    with write_partial(tmp_path / "a.tar") as (file, partial):
        file.write(b"new")
        sweep_partials([tmp_path / "a.tar"])
        assert names(tmp_path) == [partial.name]
        partial.replace(tmp_path / "a.tar")
    assert names(tmp_path) == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == b"new"


def test_only_partial_files_of_the_same_file_are_removed(tmp_path: Path) -> None:
    others = [
        "a.tar",
        "a.tar.partial",
        "a.tar.mine.partial",
        "a.tar.0123ABCD.partial",
        "a.tar.0123abcd.partial.old",
        "b.a.tar.0123abcd.partial",
        "aXtar.0123abcd.partial",
    ]
    for name in (*others, "a.tar.0123abcd.partial", "a.tar.ffffffff.partial"):
        (tmp_path / name).touch()
    (tmp_path / "a.tar.00000000.partial").mkdir()
    (tmp_path / "a.tar.11111111.partial").symlink_to(tmp_path / "a.tar")
    kept = [*others, "a.tar.00000000.partial", "a.tar.11111111.partial"]
    sweep_partials([tmp_path / "a.tar"])
    assert names(tmp_path) == sorted(kept)
    sweep_folder(tmp_path)
    assert names(tmp_path) == sorted({*kept} - {"b.a.tar.0123abcd.partial", "aXtar.0123abcd.partial"})
    sweep_folder(tmp_path / "nowhere")


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = partials.fcntl.flock
    swept = []

    def sweep_first(descriptor: int, how: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            for path in swept:
                path.unlink()
        real(descriptor, how)

    monkeypatch.setattr(partials.fcntl, "flock", sweep_first)
    write_durably(tmp_path / "a", b"new")
    assert len(swept) == 1
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"new")


def test_many_writers_and_sweepers_of_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def write(number: int) -> None:
        for _ in range(20):
            write_together({path: bytes([number]) * 5000})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == ["a"]
    assert len({*path.read_bytes()}) == 1


def test_files_that_belong_together_appear_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {tmp_path / "m.onnx": b"graph", tmp_path / "deep" / "m.json": b"{}"}
    done = []

    def fill_disk(file: object) -> None:
        if done:
            raise OSError(28, os.strerror(28))
        done.append(file)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "flush", fill_disk)
        with pytest.raises(OSError, match="No space left"):
            write_together(contents)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    (tmp_path / "m.onnx.00000000.partial").touch()
    write_together(contents)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == contents


def test_a_place_sweeps_what_was_left_of_one_object(tmp_path: Path) -> None:
    for place, token in (
        (Folder(tmp_path / "local"), "01234567"),
        (Remote(f"file://{tmp_path}/far"), "0" * 16),
    ):
        place.sweep("latest.json")
        place.write("latest.json", b"{}")
        place.write("versions/1/latest.json", b"{}")
        place.write(f"latest.json.{token}.partial", b"{")
        place.write("latest.json.mine", b"{")
        place.sweep("latest.json")
        assert sorted(place.sizes()) == ["latest.json", "latest.json.mine", "versions/1/latest.json"]
