"""Recordings of the same bytes name each other in their notes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from featurestore.plan import recordings
from featurestore.plan.recordings import hash_recordings
from featurestore.progress import Silent
from schemas.clip import Clip, Scan
from schemas.labels import Emotion, Gender
from tests.featurestore.plan.hashing import read_again, scan_corpus

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def twins(tmp_path: Path) -> Scan:
    """Five files of the same bytes, two empty ones, one of its own; the first has a note."""
    root = tmp_path / "twins"
    root.mkdir()
    for name in "abcde":
        (root / f"{name}.wav").write_bytes(b"same")
    for name in "fg":
        (root / f"{name}.wav").touch()
    (root / "h.wav").write_bytes(b"own")
    clips = sorted(scan_corpus(root).clips, key=lambda clip: clip.path)
    first = Clip("x/a", "x", "a.wav", "x/1", Gender.UNKNOWN, Emotion.SAD, "sad", note="odd")
    return Scan("x", root, (first, *clips[1:]))


def test_recordings_of_the_same_bytes_name_each_other(twins: Scan) -> None:
    notes = [clip.clip.note for clip in hash_recordings(twins, Silent())]
    assert notes == [
        "odd; same audio as x/b, x/c, x/d and 1 more",
        "same audio as x/a, x/c, x/d and 1 more",
        "same audio as x/a, x/b, x/d and 1 more",
        "same audio as x/a, x/b, x/c and 1 more",
        "same audio as x/a, x/b, x/c and 1 more",
        "",
        "",
        "",
    ]


@pytest.mark.usefixtures("an_hour_later")
def test_those_that_are_not_read_again_too(twins: Scan) -> None:
    first = hash_recordings(twins, Silent())
    read_again(twins.root)
    (twins.root / "h.wav").write_bytes(b"changed")
    assert hash_recordings(twins, Silent())[:-1] == first[:-1]


def test_the_work_grows_with_the_number_of_equal_recordings_and_not_with_its_square(tmp_path: Path) -> None:
    """Counted in operations of the interpreter, for a clock would count the machine's other work too."""

    def operations(count: int) -> int:
        root = tmp_path / f"{count}"
        root.mkdir()
        (root / "0.wav").write_bytes(b"same")
        for number in range(1, count):
            os.link(root / "0.wav", root / f"{number}.wav")
        scan = scan_corpus(root)
        done = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal done
            if frame.f_code.co_filename != recordings.__file__:
                return None
            frame.f_trace_opcodes = True
            done += event == "opcode"
            return trace

        sys.settrace(trace)
        try:
            clips = hash_recordings(scan, Silent())
        finally:
            sys.settrace(None)
        assert clips[0].clip.note.endswith(f" and {count - 4} more")
        return done

    assert operations(400) < 2.5 * operations(200)
