"""A corpus from a table: one row per recording, or per segment of one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from data.collect import not_audio
from data.files import is_audio
from data.own_recordings.description import DESCRIPTION, Description, require_own_name
from data.own_recordings.table_fields import TableField
from data.tables.audformat_database import HEADER, read_audformat
from data.tables.fields import KNOWN_COLUMNS, match_columns
from data.tables.rows import UNKNOWN_SPEAKER, RowError, RowReader
from data.tables.table import RecordingTable, read_table
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusError
from schemas.files.user_path import as_on_disk
from schemas.messages.counts import choose_form, format_count
from schemas.names import is_utf8, nfc


@dataclass(frozen=True)
class TableCorpus:
    """A named table of recordings, whose paths are relative to the table's folder, or absolute."""

    name: str
    title: str
    licence: str
    home_page: str
    table: RecordingTable
    rows: RowReader
    root: Path
    """Folder that contains all recordings: that of the table, or one above it."""
    files: tuple[str, ...]
    """Path of each row's recording, relative to :attr:`root`, with forward slashes."""
    folder_names: tuple[str, ...] = ()
    how_to_get: str = "a table of your own recordings"
    expected_clips: int | None = None

    @classmethod
    def open(
        cls, path: Path, name: str, description: Description, own: Mapping[TableField, str] | None = None
    ) -> TableCorpus:
        """Read the table at ``path``; ``own`` maps fields to its columns, as ``[columns]`` of the description
        does.

        Raises :class:`~schemas.errors.UsageError` if ``name`` is invalid and :class:`CorpusError` if the
        table is unusable.
        """
        require_own_name(name)
        columns = {**description.columns, **(own or {})}
        table = (
            read_audformat(path, columns)
            if path.name == HEADER
            else read_table(path, KNOWN_COLUMNS | {*columns.values()})
        )
        matched = match_columns(table, columns)
        written = [row[matched["file"]] for row in table.rows]
        root, files = _locate_files(table.path.parent, written)
        return cls(
            name=name,
            title=description.title or name,
            licence=description.licence or table.licence or "not stated",
            home_page=description.home_page,
            table=table,
            rows=RowReader.of(name, table, matched, description),
            root=root,
            files=files,
        )

    def scan(self, root: Path) -> Scan:
        """Find the recordings of all rows under ``root``: :meth:`data.corpus.Corpus.scan`.

        Raises :class:`CorpusError` if two rows give one recording different emotions or speakers.
        """
        kept: dict[str, tuple[int, Clip]] = {}
        ignored: list[Ignored] = []
        for index, path in enumerate(self.files):
            found = self._clip_of(index, path, root)
            if isinstance(found, Ignored):
                ignored.append(found)
                continue
            first, clip = kept.setdefault(found.clip_id, (index, found))
            if first != index:
                self._require_same(first, clip, index, found)
                again = f"{self.rows.at(index)} names it again, after {self.rows.at(first)}"
                ignored.append(Ignored(path, again))
        clips = sorted((clip for _, clip in kept.values()), key=lambda clip: (clip.speaker, clip.clip_id))
        return Scan(
            dataset=self.name,
            root=root,
            clips=tuple(clips),
            ignored=tuple(sorted(ignored, key=lambda item: item.path)),
            notices=tuple(self._notices(clips)),
        )

    def _clip_of(self, index: int, path: str, root: Path) -> Clip | Ignored:
        at = self.rows.at(index)
        if not path:
            return Ignored(self.table.path.name, f"{at} names no file")
        if not is_utf8(path) or not is_audio(path):
            return Ignored(path, f"{at}: {not_audio(path).reason}")
        if not (root / path).is_file():
            on_disk = path if path.isascii() else as_on_disk(root / path).relative_to(root).as_posix()
            if not (root / on_disk).is_file():
                return Ignored(path, f"{at}: there is no such file")
            path = on_disk
        try:
            return self.rows.clip_of(index, path)
        except RowError as error:
            return Ignored(path, str(error))

    def _require_same(self, first: int, one: Clip, second: int, two: Clip) -> None:
        for what, a, b in (
            ("emotion", one.label, two.label),
            ("speaker", *(each.speaker.removeprefix(f"{self.name}/") for each in (one, two))),
            ("valence", _number(one.valence), _number(two.valence)),
            ("arousal", _number(one.arousal), _number(two.arousal)),
            ("dominance", _number(one.dominance), _number(two.dominance)),
        ):
            if a != b:
                raise CorpusError(
                    f"the table '{self.table.path}' gives '{two.path}' the {what} '{a}' in "
                    f"{self.table.where(first)} and '{b}' in {self.table.where(second)}; keep one of the rows"
                )

    def _notices(self, clips: Sequence[Clip]) -> Iterator[str]:
        own = Counter(clip.emotion for clip in clips if self.rows.names_own_emotion(clip))
        if own:
            named = ", ".join(f"{emotion} ({count:,})" for emotion, count in sorted(own.items()))
            yield (
                f"emotions of '{self.name}' with names of their own: {named}; map them in [emotions] of a "
                f"{DESCRIPTION} beside the table, if they mean known ones"
            )
        unknown = [clip for clip in clips if clip.speaker == f"{self.name}/{UNKNOWN_SPEAKER}"]
        if unknown:
            yield (
                f"the speaker of {len(unknown):,} of {format_count(len(clips), 'clip')} of '{self.name}' is "
                f"not known: a speaker-independent split will keep them all on one side; give the table a "
                f"column 'speaker'"
            )
        missing = len(self.files) - len(clips)
        if missing:
            yield (
                f"{missing:,} of {format_count(len(self.files), 'row')} of {self.table.path.name} "
                f"{choose_form(missing, 'is', 'are')} not used"
            )


def _number(rating: float | None) -> str:
    return "" if rating is None else f"{rating:g}"


def _locate_files(folder: Path, written: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """Common folder of the recordings, and the path of each below it; empty if a row names no file."""
    paths = [_posix(text) for text in written]
    if all(not path.startswith("/") and ".." not in path.split("/") for path in paths):
        return folder, tuple(str(PurePosixPath(path)) if path else "" for path in paths)
    above = folder.resolve()
    absolute = [os.path.normpath(above / path) if path else "" for path in paths]
    parents = {os.path.dirname(path) for path in absolute if path}  # noqa: PTH120 100,000 paths
    root = os.path.commonpath(parents)
    return Path(root), tuple(os.path.relpath(path, root) if path else "" for path in absolute)


def _posix(text: str) -> str:
    """A path with forward slashes, also if the table is from Windows."""
    return nfc(PureWindowsPath(text).as_posix() if "\\" in text and "/" not in text else text)
