"""Which recordings ``ser-predict`` hears: files, folders of files, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from featurestore.cli.paths import STDIN
from schemas.errors import UsageError


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


def read_recording(name: str) -> bytes:
    """Read a file, or standard input."""
    return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
