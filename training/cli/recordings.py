"""Which recordings ``ser-predict`` hears: files, folders of files, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from schemas.errors import RecordingError, UsageError

if TYPE_CHECKING:
    from pipelines.recording.source import Source

STDIN = "-"

MOST_STDIN_BYTES = 2**30
"""Of a recording on standard input: an hour of stereo with 24 bits at 48 kHz."""

_BLOCK = 2**20


def list_recordings(clips: Sequence[str]) -> list[str]:
    """List the recordings given, each once; those of a folder are sorted.

    Raises :class:`UsageError` for a run instead of a recording, and for a folder without recordings.
    """
    from data.files import is_audio

    files = []
    for clip in clips:
        path = Path(clip)
        if clip != STDIN and (path / "run.json").is_file():
            raise UsageError(f"{clip} is a run, not a recording; give the run first: ser-predict {clip} CLIP")
        if clip != STDIN and path.is_dir():
            found = sorted(str(each) for each in path.rglob("*") if each.is_file() and is_audio(each.name))
            if not found:
                raise UsageError(
                    f"{clip} holds no recordings (WAV, FLAC, MP3, OGG, AIFF); give another folder"
                )
            files += found
        else:
            files.append(clip)
    once: dict[str, str] = {}
    for name in files:
        once.setdefault(name if name == STDIN else os.path.realpath(name), name)
    return [*once.values()]


def read_recording(name: str) -> Path | Source:
    """The path of a recording, which is opened later, or what standard input holds.

    Raises :class:`RecordingError` if that is more than :data:`MOST_STDIN_BYTES`.
    """
    return _read_stdin(sys.stdin.buffer) if name == STDIN else Path(name)


def _read_stdin(stream: BinaryIO) -> Source:
    data = bytearray()
    while block := stream.read(_BLOCK):
        data += block
        if len(data) > MOST_STDIN_BYTES:
            raise RecordingError(
                f"standard input holds more than {MOST_STDIN_BYTES >> 20:,} MiB, and so no recording that is "
                "read from there; save it as a file and give its name"
            )
    from pipelines.recording.source import MemorySource

    return MemorySource(memoryview(data))
