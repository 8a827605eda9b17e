"""Reads a Kaldi data directory: ``wav.scp``, ``utt2emo``, and others if there are.

The others are ``segments``, ``utt2spk`` and ``spk2gender``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text

SCP = "wav.scp"
"""List of recordings; a folder that has it is a Kaldi data directory."""

EMOTIONS = "utt2emo"

SEGMENTS = "segments"
"""List of utterances that are parts of recordings: utterance, recording, start and end in seconds."""

COLUMNS = ("file", "emotion", "speaker", "gender", "start", "end")

MOST_FILE = 512 * 2**20
"""Bytes of a list."""

_TO_THE_END = "-1"
"""End of a segment that lasts until the end of its recording."""


@dataclass(frozen=True)
class KaldiLists:
    """Rows with the columns :data:`COLUMNS`, and their lines in ``path``, the list of all utterances."""

    path: Path
    rows: Sequence[tuple[int, tuple[str, ...]]]


def read_kaldi(scp: Path) -> KaldiLists:
    """Read the directory that holds ``scp``; with ``segments``, an utterance is a part of a recording.

    Raises :class:`CorpusError` if a list cannot be read, if ``wav.scp`` has a command in place of a path, or
    if a line of ``segments`` is not one.
    """
    folder = scp.parent
    emotions = _read_list(folder / EMOTIONS)
    speakers = _read_if_there(folder / "utt2spk")
    genders = _read_if_there(folder / "spk2gender")
    segments = folder / SEGMENTS
    utterances = _segments(segments, _recordings(scp)) if segments.exists() else _whole(scp)
    rows = []
    for line, utterance, path, start, end in utterances:
        speaker = speakers.get(utterance, "")
        row = (path, emotions.get(utterance, ""), speaker, genders.get(speaker, ""), start, end)
        rows.append((line, row))
    return KaldiLists(segments if segments.exists() else scp, rows)


_Utterance = tuple[int, str, str, str, str]
"""Line, utterance, path of the recording, start, end."""


def _whole(scp: Path) -> Iterator[_Utterance]:
    for line, utterance, path in _paths(scp):
        yield line, utterance, path, "", ""


def _segments(path: Path, recordings: dict[str, str]) -> Iterator[_Utterance]:
    for line, (utterance, rest) in enumerate(_pairs(path), start=1):
        words = rest.split()
        if len(words) != 3:
            raise CorpusError(
                f"line {line} of '{path}' is not a segment; write utterance, recording, start and end"
            )
        recording, start, end = words
        if recording not in recordings:
            raise CorpusError(
                f"line {line} of '{path}' names the recording '{recording}', which {SCP} lacks; add it there"
            )
        yield line, utterance, recordings[recording], start, "" if end == _TO_THE_END else end


def _recordings(scp: Path) -> dict[str, str]:
    return {recording: path for _, recording, path in _paths(scp)}


def _paths(scp: Path) -> Iterator[tuple[int, str, str]]:
    """Line, key and path of each line of ``wav.scp``."""
    for line, (key, path) in enumerate(_pairs(scp), start=1):
        if path.endswith("|"):
            raise CorpusError(
                f"line {line} of '{scp}' is a command, not a path; run it, and write the path of its output"
            )
        yield line, key, path


def _read_list(path: Path) -> dict[str, str]:
    return dict(_pairs(path))


def _read_if_there(path: Path) -> dict[str, str]:
    return _read_list(path) if path.exists() else {}


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    """First word and rest of each line."""
    try:
        text = decode_text(read_regular_file(path, MOST_FILE))
    except TextError as error:
        raise CorpusError(f"'{path}' {error}") from error
    except FileNotFoundError as error:
        raise CorpusError(
            f"the Kaldi directory '{path.parent}' has no file {path.name}; add it, with one line per key"
        ) from error
    except OSError as error:
        raise CorpusError(
            f"cannot read '{path}': {error.strerror or error}; write one line per key"
        ) from error
    for line in text.splitlines():
        if words := line.split(maxsplit=1):
            yield words[0], words[1].strip() if len(words) > 1 else ""
