"""What is read where a user names a file: a regular file of a size that such a file can have."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from data.own_recordings.description import read_description
from data.own_recordings.speakers import read_speakers
from schemas.errors import SerError
from schemas.files.regular_file import read_regular_file
from schemas.recipe import load_recipe
from training.metrics.predictions import Predictions
from training.splits.split import Split


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(before)


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 * 2**30)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (make_pipe, "it is a named pipe, not a file"),
    "socket": (make_socket, "it is a socket, not a file"),
    "folder": (Path.mkdir, "it is a folder, not a file"),
    "endless device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    "empty device": (lambda path: path.symlink_to("/dev/null"), "it is a device, not a file"),
    "20 GiB": (make_sparse, r"it has 21,474,836,480 bytes, but at most [\d,]+ bytes are possible"),
}
odd = pytest.mark.parametrize("kind", ODD)


@odd
def test_what_is_no_file_of_that_size_is_named(kind: str, tmp_path: Path) -> None:
    make, message = ODD[kind]
    make(tmp_path / "odd")
    with pytest.raises(OSError, match=message) as caught:
        read_regular_file(tmp_path / "odd")
    assert caught.value.filename == str(tmp_path / "odd")


def test_a_file_is_read_up_to_its_most_bytes(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    assert read_regular_file(link, 5) == b"12345"
    with pytest.raises(OSError, match="it has 5 bytes, but at most 4 bytes"):
        read_regular_file(link, 4)


def test_a_file_that_announces_no_size_is_bounded_too() -> None:
    assert read_regular_file("/proc/self/status")
    with pytest.raises(OSError, match="it has more, but at most 10 bytes"):
        read_regular_file("/proc/self/status", 10)


def _speakers(path: Path) -> object:
    return read_speakers(path.parent, path.name)


def _description(path: Path) -> object:
    return read_description(path.parent)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "recipe": ("mine.toml", lambda path: load_recipe(str(path))),
    "description": ("corpus.toml", _description),
    "speakers": ("speakers.csv", _speakers),
    "split": ("split.json", Split.read),
    "predictions": ("predictions.csv", Predictions.read),
}


@odd
@pytest.mark.parametrize("reader", READERS)
def test_every_text_that_a_user_names_is_read_so(reader: str, kind: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    make, message = ODD[kind]
    make(tmp_path / name)
    if (reader, kind) == ("split", "folder"):
        message = "No such file"  # a folder is that of a run
    with pytest.raises(SerError, match=message):
        read(tmp_path / name)
