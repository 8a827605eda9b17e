"""Reads a Kaldi data directory: ``wav.scp``, ``utt2emo``, and ``utt2spk`` and ``spk2gender`` if there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text

SCP = "wav.scp"
"""List of recordings; a folder that has it and :data:`EMOTIONS` is a Kaldi data directory."""

EMOTIONS = "utt2emo"

COLUMNS = ("file", "emotion", "speaker", "gender")

MOST_FILE = 512 * 2**20
"""Bytes of a list."""


def read_kaldi(scp: Path) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]:
    """Columns, and rows with their line in ``scp``, of the directory that holds ``scp``.

    Raises :class:`CorpusError` if a list cannot be read, if ``wav.scp`` has a command in place of a path, or
    if there are ``segments``.
    """
    folder = scp.parent
    if (folder / "segments").exists():
        raise CorpusError(
            f"'{folder}' cuts recordings by its file 'segments', but an utterance must be a whole recording; "
            f"cut the recordings first"
        )
    emotions = dict(_pairs(folder / EMOTIONS))
    speakers = dict(_pairs(folder / "utt2spk")) if (folder / "utt2spk").exists() else {}
    genders = dict(_pairs(folder / "spk2gender")) if (folder / "spk2gender").exists() else {}
    rows: list[tuple[int, tuple[str, ...]]] = []
    for line, (utterance, path) in enumerate(_pairs(scp), start=1):
        if path.endswith("|"):
            raise CorpusError(
                f"line {line} of '{scp}' is a command, not a path; run it, and write the path of its output"
            )
        speaker = speakers.get(utterance, "")
        rows.append((line, (path, emotions.get(utterance, ""), speaker, genders.get(speaker, ""))))
    return COLUMNS, rows


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    """First word and rest of each line."""
    try:
        text = decode_text(read_regular_file(path, MOST_FILE))
    except TextError as error:
        raise CorpusError(f"'{path}' {error}") from error
    except OSError as error:
        raise CorpusError(
            f"cannot read '{path}': {error.strerror or error}; write one line per key"
        ) from error
    for line in text.splitlines():
        if line.strip():
            first, _, rest = line.strip().partition(" ")
            yield first, rest.strip()
