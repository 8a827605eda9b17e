"""Which recordings ``ser-predict`` hears: files, folders of files, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from featurestore.cli.paths import STDIN
from schemas.errors import RecordingError, UsageError

if TYPE_CHECKING:
    from pipelines.recording.source import ByteSource

MOST_STDIN_BYTES = 2**30
"""Of a recording on standard input: an hour of stereo with 24 bits at 48 kHz."""

_BLOCK = 2**20


@dataclass(frozen=True)
class Recordings:
    """Names of the recordings, each once, and notes on what was left out of the folders given."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def list_recordings(clips: Sequence[str]) -> Recordings:
    """List the recordings given; of a folder, those that a build would take, sorted.

    Raises :class:`UsageError` for a run instead of a recording, and for a folder without recordings, and
    :class:`CorpusNotFoundError` for a folder that cannot be listed.
    """
    files: list[str] = []
    notes: list[str] = []
    for clip in clips:
        path = Path(clip)
        if clip != STDIN and (path / "run.json").is_file():
            raise UsageError(f"{clip} is a run, not a recording; give the run first: ser-predict {clip} CLIP")
        if clip != STDIN and path.is_dir():
            inside = _list_folder(path)
            files += inside.names
            notes += inside.notes
        else:
            files.append(clip)
    once: dict[str, str] = {}
    for name in files:
        once.setdefault(name if name == STDIN else os.path.realpath(name), name)
    return Recordings(tuple(once.values()), tuple(notes))


def read_recording(name: str) -> Path | ByteSource:
    """The path of a recording, which is opened later, or what standard input holds.

    Raises :class:`RecordingError` if that is more than :data:`MOST_STDIN_BYTES`.
    """
    return _read_stdin(sys.stdin.buffer) if name == STDIN else Path(name)


def _read_stdin(stream: BinaryIO) -> ByteSource:
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


def _list_folder(folder: Path) -> Recordings:
    from data.collect import explain_no_audio
    from data.files import NOT_UTF8, suffix_of, walk
    from schemas.files.formats import Unread, conversion, unread_format

    tree = walk(folder)
    found = sorted((*tree.audio, *tree.misnamed))
    if not found:
        raise UsageError(f"{folder} holds no recordings: it {explain_no_audio(folder)}; give another folder")
    left_out = [item for item in tree.unreadable if item.reason != NOT_UTF8]
    notes = [f"left out {folder / item.path}: {item.reason}" for item in left_out]
    unread: dict[Unread, list[str]] = {}
    for path in tree.other:
        kind = unread_format(suffix_of(path))
        if kind is not None:
            unread.setdefault(kind, []).append(path)
    for kind, paths in unread.items():
        others = f" (and {len(paths) - 1:,} more)" if len(paths) > 1 else ""
        notes.append(f"left out {folder / paths[0]}{others}: {conversion(kind, Path(paths[0]).name)}")
    return Recordings(tuple(str(folder / path) for path in found), tuple(notes))
