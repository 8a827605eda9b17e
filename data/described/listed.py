"""What files of a corpus say of its clips: lists with a line per clip, and tables with a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.described.description import LabelLists, LabelTable, PublishedDescription
from data.files import suffix_of
from data.tables.table import read_table
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.names import nfc


@dataclass(frozen=True)
class Listed:
    """What a list or table says of a clip; ratings are None, and texts empty, if it does not say."""

    emotion: str
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    speaker: str = ""
    sentence: str = ""
    intensity: str = ""
    split: str = ""

    @classmethod
    def of(cls, line: re.Match[str]) -> Listed:
        """Read a line; raises ValueError if a rating is not a number."""
        words = line.groupdict()
        valence, arousal, dominance = (
            float(word) if (word := words.get(name)) else None for name in ("valence", "arousal", "dominance")
        )
        return cls(line["emotion"], valence, arousal, dominance)

    def __str__(self) -> str:
        ratings = [
            f"{rating:g}" for rating in (self.valence, self.arousal, self.dominance) if rating is not None
        ]
        return f"{self.emotion} ({', '.join(ratings)})" if ratings else self.emotion


def is_listing(known: PublishedDescription, path: str) -> bool:
    """Whether the file at ``path`` is a list or table of the corpus."""
    patterns = [*([known.lists.files] if known.lists else []), *(table.file for table in known.tables)]
    return any(_is_named(path, pattern) for pattern in patterns)


def read_listed(known: PublishedDescription, root: Path, paths: Sequence[str]) -> dict[str, Listed]:
    """What files among ``paths``, below ``root``, say of each clip, by the lower-case name of the clip.

    Raises :class:`CorpusError` if a file cannot be read, or if two lines contradict each other.
    """
    found: dict[str, Listed] = {}
    for path in paths:
        for clip, listed in _read(known, root, path):
            first = found.setdefault(clip.lower(), listed)
            if first != listed:
                raise CorpusError(
                    f"'{root / path}' gives {clip} the emotion {listed}, but an earlier line {first}; get a "
                    f"fresh copy of the corpus"
                )
    return found


def _read(known: PublishedDescription, root: Path, path: str) -> Iterator[tuple[str, Listed]]:
    if known.lists is not None and _is_named(path, known.lists.files):
        yield from _read_lines(root / path, known.lists)
    for table in known.tables:
        if _is_named(path, table.file):
            yield from _read_rows(root / path, table)


def _is_named(path: str, pattern: str) -> bool:
    return re.search(rf"(?:^|/){pattern}$", path) is not None


def _read_lines(path: Path, lists: LabelLists) -> Iterator[tuple[str, Listed]]:
    try:
        text = read_regular_file(path).decode("utf-8", "replace")
    except OSError as error:
        raise CorpusError(f"cannot read '{path}': {error.strerror or error}") from error
    for line in re.finditer(lists.line, text, re.MULTILINE):
        yield line["clip"], Listed.of(line)


def _read_rows(path: Path, known: LabelTable) -> Iterator[tuple[str, Listed]]:
    table = read_table(path, {name.lower() for name in known.needed})
    if missing := [name for name in known.needed if name not in table.columns]:
        raise CorpusError(
            f"the table '{path}' has no column '{missing[0]}', only {', '.join(table.columns[:12])}; get a "
            f"fresh copy of the corpus"
        )
    for cells in table.rows:
        row = dict(zip(table.columns, cells, strict=True))
        yield (
            _clip_of(known.clip, row),
            Listed(
                emotion=row[known.emotion],
                speaker=nfc(row.get(known.speaker, "")),
                sentence=row.get(known.sentence, ""),
                intensity=row.get(known.intensity, ""),
                split=known.split,
            ),
        )


def _clip_of(template: str, row: Mapping[str, str]) -> str:
    """Name of the clip of a row: without suffix, and without folders if the template has none."""
    name = template.format_map(row)
    name = name.removesuffix(suffix_of(name))
    return name if "/" in template else PurePosixPath(name).name
