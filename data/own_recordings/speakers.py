"""The speaker table of a folder corpus: a CSV with ``path`` or ``stem``, ``speaker`` and ``gender``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from data.own_recordings.spreadsheet import read_rows
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError
from schemas.files.user_path import as_on_disk
from schemas.labels import Gender
from schemas.names import nfc

_GENDERS = {
    "female": Gender.FEMALE,
    "f": Gender.FEMALE,
    "male": Gender.MALE,
    "m": Gender.MALE,
    "unknown": Gender.UNKNOWN,
    "": Gender.UNKNOWN,
}


@dataclass(frozen=True)
class Speaker:
    """A speaker and their gender."""

    name: str
    gender: Gender = Gender.UNKNOWN


@dataclass(frozen=True)
class SpeakerTable:
    """Speakers by path of the clip, relative to the corpus, or by its file name without suffix; both NFC."""

    by: Literal["path", "stem"]
    rows: Mapping[str, Speaker]

    def speaker_of(self, path: str) -> Speaker | None:
        """Speaker of the clip at ``path``; None if the table does not list it."""
        return self.rows.get(self._key(path))

    def unmatched(self, paths: Sequence[str]) -> list[str]:
        """Keys of the table that match none of ``paths``, sorted."""
        return sorted(set(self.rows) - {self._key(path) for path in paths})

    def _key(self, path: str) -> str:
        return _comparable(path if self.by == "path" else PurePosixPath(path).stem)


def _comparable(path: str) -> str:
    """The path as tables and disks are compared: NFC, and with ``/`` also if the table is from Windows."""
    return nfc(path).replace("\\", "/")


def gender_of(word: object) -> Gender | None:
    """Gender meant by ``word`` (female, F, male, m, unknown, …); None if it is not a gender."""
    return _GENDERS.get(word.strip().lower()) if isinstance(word, str) else None


def read_speakers(root: Path, name: str) -> SpeakerTable:
    """Read the table at ``name`` below ``root``: a CSV, also as spreadsheets save it.

    Raises :class:`CorpusError` if the table is outside ``root``, cannot be read or lacks a column, or if a
    clip has two speakers, a speaker has two genders, or a gender is invalid.
    """
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        raise CorpusError(f"speakers = '{name}' is outside '{root}'; give a path below it")
    table = as_on_disk(root / inside)
    try:
        data = read_regular_file(table)
        return _read(read_rows(data, ("path", "stem", "speaker", "gender")), table)
    except TextError as error:
        raise CorpusError(f"the speaker table '{table}' {error}") from error
    except (OSError, csv.Error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise CorpusError(
            f"cannot read the speaker table '{table}': {why}; put a CSV file there, or change "
            f"speakers in corpus.toml"
        ) from error


def _read(lines: csv.DictReader[str], table: Path) -> SpeakerTable:
    columns = {column.strip().lower(): column for column in lines.fieldnames or () if column}
    by: Literal["path", "stem"] = "path" if "path" in columns else "stem"
    if by not in columns or "speaker" not in columns:
        raise CorpusError(f"the speaker table '{table}' needs the columns 'path' or 'stem', and 'speaker'")
    rows: dict[str, Speaker] = {}
    genders: dict[str, Gender] = {}
    for line in lines:
        where = f"'{table}', line {lines.line_num}"
        if not any(cell.strip() for cell in line.values() if isinstance(cell, str)):
            continue  # an empty row of a spreadsheet
        key = _comparable((line[columns[by]] or "").strip()).removeprefix("./")
        name = nfc((line[columns["speaker"]] or "").strip())
        if not key or not name:
            raise CorpusError(f"{where}: {by} or speaker is empty")
        word = line[columns["gender"]] if "gender" in columns else ""
        gender = gender_of(word or "")
        if gender is None:
            raise CorpusError(f"{where}: '{word}' is not a gender; use female, male or unknown")
        if genders.setdefault(name, gender) != gender:
            raise CorpusError(
                f"{where}: speaker '{name}' is {gender}, but {genders[name]} in an earlier line"
            )
        if rows.setdefault(key, Speaker(name, gender)).name != name:
            raise CorpusError(
                f"{where}: '{key}' has speaker '{name}', but '{rows[key].name}' in an earlier line"
            )
    return SpeakerTable(by, rows)
