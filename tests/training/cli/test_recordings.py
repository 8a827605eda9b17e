"""``ser-predict FOLDER`` hears what a build of the folder takes, and says what it leaves out."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from data.own_recordings.folder import FolderCorpus
from schemas.errors import RecordingError, UsageError
from training.cli import recordings
from training.cli.recordings import list_recordings, read_recording


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A folder as it comes from a Mac's ZIP, with links, hidden files and other formats."""
    disk = touch(tmp_path / "disk", "angry/b.wav")
    root = touch(
        *(tmp_path / "inbox", "angry/a.wav", "angry/a.WAV.txt", "angry/c.OPUS", "angry/d.AifC", "sad/e.oga"),
        *("._a.wav", "angry/._a.wav", "__MACOSX/angry/._a.wav", "__MACOSX/f.wav", ".trash/angry/g.wav"),
        *("angry/.h.wav", "old.zarr/angry/i.wav", "OLD.ZARR/angry/j.wav", "sad/k.m4a", "sad/l.M4A", "m.webm"),
    )
    (root / "linked").symlink_to(disk)
    (root / "linked-again").symlink_to(disk)
    (root / "angry" / "up").symlink_to(root)
    (root / "sad" / "n.wav").symlink_to(disk / "angry" / "b.wav")
    (root / "sad" / "gone.wav").symlink_to("nowhere.wav")
    os.mkfifo(root / "sad" / "pipe.wav")
    return root


def test_a_folder_gives_the_recordings_that_a_build_takes(messy: Path) -> None:
    taken = {str(messy / clip.path) for clip in FolderCorpus.open(messy, "mine").scan(messy).clips}
    heard = list_recordings([str(messy)])
    # The build hears the linked file twice, under two emotions; a prediction needs it once.
    assert {os.path.realpath(name) for name in heard.names} == {os.path.realpath(name) for name in taken}
    assert {Path(name).name for name in heard.names} == {"a.wav", "b.wav", "c.OPUS", "d.AifC", "e.oga"}


def test_what_is_left_out_is_said_once_for_each_kind(messy: Path) -> None:
    notes = list_recordings([str(messy)]).notes
    assert len(notes) == 4
    assert f"left out {messy}/sad/gone.wav: a link that leads nowhere" in notes
    assert f"left out {messy}/sad/pipe.wav: not a regular file" in notes
    assert any("sad/k.m4a (and 1 more)" in note and "ffmpeg -i k.m4a k.wav" in note for note in notes)
    assert any("m.webm: a WebM or Matroska file" in note for note in notes)


def test_a_file_that_is_named_is_heard_whatever_it_is_called(messy: Path) -> None:
    hidden = str(messy / "angry" / ".h.wav")
    assert list_recordings([hidden, hidden, "-"]).names == (hidden, "-")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("a.m4a", "b.txt"), r"a\.m4a: MPEG-4 sound .* ffmpeg -i a\.m4a a\.wav"),
        (("a.zip",), "unpack"),
        (("a.txt",), r"no audio files \(WAV, .*Opus"),
        (("._a.wav", "__MACOSX/a.wav"), "no audio files"),
    ],
)
def test_a_folder_without_recordings_says_what_it_holds(
    tmp_path: Path, files: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UsageError, match=f"holds no recordings: .*{said}"):
        list_recordings([str(touch(tmp_path, *files))])


def test_standard_input_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: an endless stream, of which no more than the limit and a block is taken."""
    taken = 0

    class Endless:
        def read(self, count: int) -> bytes:
            nonlocal taken
            taken += count
            return bytes(count)

    monkeypatch.setattr(recordings, "MOST_STDIN_BYTES", 5 * 2**20)
    monkeypatch.setattr(recordings, "sys", SimpleNamespace(stdin=SimpleNamespace(buffer=Endless())))
    with pytest.raises(RecordingError, match="standard input holds more than 5 MiB"):
        read_recording("-")
    assert taken == 6 * 2**20


def test_standard_input_holds_a_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(b"0123456789"))
    monkeypatch.setattr(recordings, "sys", SimpleNamespace(stdin=stdin))
    source = read_recording("-")
    assert not isinstance(source, Path)
    assert source.read(2, 5) == b"23456"
