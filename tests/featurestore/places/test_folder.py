"""What can stand in a folder instead of an object."""

import os
import threading
from pathlib import Path

import pytest

from featurestore.places.folder import Folder
from schemas.errors import StorageError, StoreDamagedError


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "store")
    folder.write("ravdess/mel", b"0123456789")
    return folder


@pytest.mark.parametrize("there", [True, False], ids=["to-a-file", "to-nothing"])
def test_a_link_is_no_object(there: bool, folder: Folder, tmp_path: Path) -> None:
    if there:
        (tmp_path / "outside").write_bytes(b"private")
    (folder.path / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreDamagedError, match="is a link to another file"):
        folder.read("link", 100)
    with pytest.raises(StoreDamagedError, match="is a link to another file"):
        list(folder.blocks("link"))
    assert folder.size("link") is None
    folder.write("link", b"new")
    assert folder.read("link", 3) == b"new"
    assert not there or (tmp_path / "outside").read_bytes() == b"private"


def test_a_pipe_is_no_object_and_nobody_waits_for_it(folder: Folder) -> None:
    os.mkfifo(folder.path / "pipe")
    problems: list[Exception] = []

    def read() -> None:
        for action in (lambda: folder.read("pipe", 10), lambda: list(folder.blocks("pipe"))):
            try:
                action()
            except StoreDamagedError as error:
                problems.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert len(problems) == 2
    assert all("not a regular file" in str(problem) for problem in problems)
    assert folder.size("pipe") is None


def test_a_folder_in_the_way_is_no_object(folder: Folder) -> None:
    with pytest.raises(StoreDamagedError, match="not a regular file"):
        folder.read("ravdess", 10)
    assert folder.size("ravdess") is None
    with pytest.raises(StorageError, match="a folder with that name already exists"):
        folder.write("ravdess", b"x")
    assert folder.sizes() == {"ravdess/mel": 10}


def test_a_file_in_the_way_of_a_folder_is_a_sentence(folder: Folder) -> None:
    with pytest.raises(StorageError, match=r"already exists|is a file, not a folder"):
        folder.write("ravdess/mel/c/0", b"x")


def test_what_is_larger_than_can_be_right_is_not_read(folder: Folder) -> None:
    with (folder.path / "huge").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(StoreDamagedError, match=r"4,398,046,511,104 bytes, but at most 1,000 are possible"):
        folder.read("huge", 1000)


def test_a_disk_that_cannot_be_read_is_a_sentence() -> None:
    kernel = Folder(Path("/proc/self"))  # reading its memory at 0 is an input/output error
    with pytest.raises(StorageError, match="cannot read /proc/self/mem: Input/output error"):
        kernel.read("mem", 10)
    with pytest.raises(StorageError, match="cannot read /proc/self/mem"):
        list(kernel.blocks("mem"))


def test_a_folder_that_cannot_be_listed_does_not_pass_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StorageError, match=r"cannot list .*loop"):
        Folder(tmp_path / "loop").sizes()


def test_a_copy_is_stored_once(folder: Folder) -> None:
    assert folder.copy("ravdess/mel", "tess/mel")
    assert (folder.path / "tess/mel").stat().st_ino == (folder.path / "ravdess/mel").stat().st_ino


def test_a_copy_across_file_systems_is_left_to_the_caller(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("target", b"old")

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert folder.copy("ravdess/mel", "target") is False
    assert folder.read("target", 3) == b"old"


class TestFoldersThatAreLinks:
    @pytest.fixture
    def linked(self, tmp_path: Path) -> Folder:
        """A place in which ``corpus`` is a link to a folder outside of it."""
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "theirs").write_bytes(b"secret")
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "corpus").symlink_to(tmp_path / "outside")
        return Folder(tmp_path / "store")

    def test_nothing_is_read_written_linked_or_removed_through_them(self, linked: Folder) -> None:
        (linked.path / "mine").write_bytes(b"mine")
        for action in (
            lambda: linked.read("corpus/theirs", 100),
            lambda: list(linked.blocks("corpus/theirs")),
            lambda: linked.write("corpus/new", b""),
            lambda: linked.write("corpus/deep/new", b""),
            lambda: linked.copy("mine", "corpus/new"),
            lambda: linked.copy("corpus/theirs", "copied"),
            lambda: linked.delete(["corpus/theirs"]),
        ):
            with pytest.raises(StoreDamagedError, match="leads out of the store through a link"):
                action()
        outside = linked.path.parent / "outside"
        assert [path.name for path in outside.iterdir()] == ["theirs"]
        assert linked.sizes() == {"mine": 4}

    def test_the_place_itself_may_be_one(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        place = Folder(tmp_path / "link")
        place.write("corpus/one", b"1")
        assert place.read("corpus/one", 9) == b"1"
