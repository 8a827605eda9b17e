"""What a row of a table says about its recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data.files import suffix_of
from data.own_recordings.description import DESCRIPTION, Description
from data.own_recordings.emotion_words import COMMON_WORDS, word_key
from data.own_recordings.speakers import gender_of
from data.own_recordings.table_fields import DIMENSIONS, Dimension, TableField
from data.tables.numbers import parse_number, parse_time
from data.tables.table import RecordingTable
from schemas.clip import Clip
from schemas.labels import UNKNOWN_EMOTION, Gender, is_emotion_name
from schemas.names import nfc

UNKNOWN_SPEAKER = "unknown"


class RowError(ValueError):
    """A row that cannot be used; the message names its line and the reason."""


@dataclass(frozen=True)
class RowReader:
    """Makes clips of the rows of a table; ``columns`` are the indices of those that mean something."""

    corpus: str
    table: RecordingTable
    columns: Mapping[TableField, int]
    description: Description
    emotions: Mapping[str, str]
    """Word in the form of :func:`~data.own_recordings.emotion_words.word_key` → emotion."""

    @classmethod
    def of(
        cls,
        corpus: str,
        table: RecordingTable,
        columns: Mapping[TableField, int],
        description: Description,
    ) -> RowReader:
        """Reader that knows the usual words for emotions, and those of the description."""
        words = {word_key(word): emotion for word, emotion in description.emotions.items()}
        return cls(corpus, table, columns, description, {**COMMON_WORDS, **words})

    def clip_of(self, index: int, path: str) -> Clip:
        """Clip of the row ``index``, whose recording is at ``path``. Raises :class:`RowError`."""
        ratings = self._ratings(index)
        label, emotion = self._emotion(index, rated=bool(ratings))
        speaker = nfc(self.value(index, "speaker")) or UNKNOWN_SPEAKER
        gender = self._gender(index)
        start, end = self._cut(index)
        return Clip(
            clip_id=f"{self.corpus}/{path.removesuffix(suffix_of(path))}{name_cut(start, end)}",
            dataset=self.corpus,
            path=path,
            speaker=f"{self.corpus}/{speaker}",
            gender=self.description.genders.get(speaker, gender) if gender is Gender.UNKNOWN else gender,
            emotion=emotion,
            label=label,
            intensity=self.value(index, "intensity"),
            sentence=self.value(index, "sentence"),
            language=self.value(index, "language"),
            session=self.value(index, "session"),
            split=self.value(index, "split"),
            start_s=start,
            end_s=end,
            valence=ratings.get("valence"),
            arousal=ratings.get("arousal"),
            dominance=ratings.get("dominance"),
        )

    def value(self, index: int, name: TableField) -> str:
        """The cell of a field; empty if it has no value or the table lacks the column."""
        return self.table.rows[index][self.columns[name]] if name in self.columns else ""

    def at(self, index: int) -> str:
        """Where a row is, for messages: ``line 7 of calls.csv``."""
        return f"{self.table.where(index)} of {self.table.path.name}"

    def names_own_emotion(self, clip: Clip) -> bool:
        """Whether the emotion of a clip is neither a known one nor one of the description."""
        return clip.label != "" and word_key(clip.label) not in self.emotions

    def _ratings(self, index: int) -> dict[Dimension, float]:
        found: dict[Dimension, float] = {}
        for name in DIMENSIONS:
            try:
                if text := self.value(index, name):
                    found[name] = parse_number(text)
            except ValueError as error:
                raise RowError(
                    f"{self.at(index)}: {error}; leave the cell of {name} empty if it is not known"
                ) from error
        return found

    def _cut(self, index: int) -> tuple[float | None, float | None]:
        """Start and end of a segment, in seconds; both None for a whole recording."""
        try:
            start, end = parse_time(self.value(index, "start")), parse_time(self.value(index, "end"))
        except ValueError as error:
            raise RowError(f"{self.at(index)}: {error}") from error
        if not start and end is None:
            return None, None
        start = start or 0.0
        if end is not None and end <= start:
            raise RowError(
                f"{self.at(index)}: the segment ends at {end:g} s, but it starts at {start:g} s; give an end "
                f"after the start"
            )
        return start, end

    def _emotion(self, index: int, *, rated: bool) -> tuple[str, str]:
        """The corpus's word and the emotion. A clip with a rating needs none."""
        label = self.value(index, "emotion")
        if not label:
            if rated:
                return label, UNKNOWN_EMOTION
            nor = " and has no rating" if self.columns.keys() & {*DIMENSIONS} else ""
            raise RowError(f"{self.at(index)} names no emotion{nor}")
        emotion = self.emotions.get(word_key(label), nfc(label.lower()))
        if not is_emotion_name(emotion):
            raise RowError(
                f"{self.at(index)}: '{label[:60]}' names no emotion; see [emotions] in {DESCRIPTION}"
            )
        return label, emotion

    def _gender(self, index: int) -> Gender:
        word = self.value(index, "gender")
        gender = gender_of(word)
        if gender is None:
            raise RowError(f"{self.at(index)}: '{word[:60]}' is not a gender; use female, male or unknown")
        return gender


def name_cut(start: float | None, end: float | None) -> str:
    """End of the clip id of a segment: ``#0001500-0003250``, in milliseconds; empty for a whole recording.

    Times with fractions of a millisecond have decimals, and ``end`` stands for the end of the recording.
    """
    if start is None:
        return ""
    return f"#{_milliseconds(start)}-{'end' if end is None else _milliseconds(end)}"


def _milliseconds(seconds: float) -> str:
    whole, fraction = divmod(round(seconds * 1e6), 1000)
    return f"{whole:07d}" + (f".{fraction:03d}".rstrip("0") if fraction else "")
