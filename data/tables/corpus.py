"""A corpus from a table: one row per recording."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from data.collect import not_audio
from data.files import is_audio, suffix_of
from data.own_recordings.description import DESCRIPTION, Description, require_own_name
from data.own_recordings.emotion_words import COMMON_WORDS, word_key
from data.own_recordings.speakers import gender_of
from data.own_recordings.table_fields import TableField
from data.tables.audformat_database import HEADER, read_audformat
from data.tables.fields import KNOWN_COLUMNS, SEGMENTS, match_columns
from data.tables.table import RecordingTable, read_table
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusError
from schemas.files.user_path import as_on_disk
from schemas.labels import Gender, is_emotion_name
from schemas.messages.counts import choose_form, format_count
from schemas.names import fold_name, is_utf8, nfc

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class TableCorpus:
    """A named table of recordings, whose paths are relative to the table's folder, or absolute."""

    name: str
    title: str
    licence: str
    home_page: str
    table: RecordingTable
    columns: Mapping[TableField, int]
    description: Description
    root: Path
    """Folder that contains all recordings: that of the table, or one above it."""
    files: tuple[str, ...]
    """Path of each row's recording, relative to :attr:`root`, with forward slashes."""
    emotions: Mapping[str, str]
    """Word in the form of :func:`~data.own_recordings.emotion_words.word_key` → emotion."""
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
        _require_whole_recordings(table)
        written = [row[matched["file"]] for row in table.rows]
        root, files = _locate_files(table.path.parent, written)
        words = {word_key(word): emotion for word, emotion in description.emotions.items()}
        return cls(
            name=name,
            title=description.title or name,
            licence=description.licence or table.licence or "not stated",
            home_page=description.home_page,
            table=table,
            columns=matched,
            description=description,
            root=root,
            files=files,
            emotions={**COMMON_WORDS, **words},
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
                ignored.append(Ignored(path, f"{self._at(index)} names it again, after {self._at(first)}"))
        clips = sorted((clip for _, clip in kept.values()), key=lambda clip: (clip.speaker, clip.clip_id))
        return Scan(
            dataset=self.name,
            root=root,
            clips=tuple(clips),
            ignored=tuple(sorted(ignored, key=lambda item: item.path)),
            notices=tuple(self._notices(clips)),
        )

    def _clip_of(self, index: int, path: str, root: Path) -> Clip | Ignored:
        at = self._at(index)
        if not path:
            return Ignored(self.table.path.name, f"{at} names no file")
        if not is_utf8(path) or not is_audio(path):
            return Ignored(path, f"{at}: {not_audio(path).reason}")
        if not (root / path).is_file():
            on_disk = path if path.isascii() else as_on_disk(root / path).relative_to(root).as_posix()
            if not (root / on_disk).is_file():
                return Ignored(path, f"{at}: there is no such file")
            path = on_disk
        label = self._value(index, "emotion")
        if not label:
            return Ignored(path, f"{at} names no emotion")
        emotion = self.emotions.get(word_key(label), nfc(label.lower()))
        if not is_emotion_name(emotion):
            return Ignored(path, f"{at}: '{label[:60]}' names no emotion; see [emotions] in {DESCRIPTION}")
        speaker = nfc(self._value(index, "speaker")) or _UNKNOWN
        word = self._value(index, "gender")
        gender = gender_of(word)
        if gender is None:
            return Ignored(path, f"{at}: '{word[:60]}' is not a gender; use female, male or unknown")
        return Clip(
            clip_id=f"{self.name}/{path.removesuffix(suffix_of(path))}",
            dataset=self.name,
            path=path,
            speaker=f"{self.name}/{speaker}",
            gender=self.description.genders.get(speaker, gender) if gender is Gender.UNKNOWN else gender,
            emotion=emotion,
            label=label,
            intensity=self._value(index, "intensity"),
            sentence=self._value(index, "sentence"),
        )

    def _value(self, index: int, name: TableField) -> str:
        return self.table.rows[index][self.columns[name]] if name in self.columns else ""

    def _at(self, index: int) -> str:
        return f"{self.table.where(index)} of {self.table.path.name}"

    def _require_same(self, first: int, one: Clip, second: int, two: Clip) -> None:
        for what, a, b in (("emotion", one.label, two.label), ("speaker", one.speaker, two.speaker)):
            if a != b:
                raise CorpusError(
                    f"the table '{self.table.path}' gives '{two.path}' the {what} '{a}' in "
                    f"{self.table.where(first)} and '{b}' in {self.table.where(second)}; keep one of the rows"
                )

    def _notices(self, clips: Sequence[Clip]) -> Iterator[str]:
        own = Counter(clip.emotion for clip in clips if word_key(clip.label) not in self.emotions)
        if own:
            named = ", ".join(f"{emotion} ({count:,})" for emotion, count in sorted(own.items()))
            yield (
                f"emotions of '{self.name}' with names of their own: {named}; map them in [emotions] of a "
                f"{DESCRIPTION} beside the table, if they mean known ones"
            )
        unknown = [clip for clip in clips if clip.speaker == f"{self.name}/{_UNKNOWN}"]
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


def _require_whole_recordings(table: RecordingTable) -> None:
    """Raise :class:`CorpusError` if the rows are parts of recordings."""
    segments = [index for index, name in enumerate(table.columns) if fold_name(name) in SEGMENTS]
    for index in segments:
        if any(row[index] for row in table.rows):
            raise CorpusError(
                f"the table '{table.path}' cuts recordings by its column '{table.columns[index]}', but a row "
                f"must be a whole recording; cut the recordings first, and leave out that column"
            )


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
