"""A clip: one labelled recording of a corpus, as in the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from schemas.labels import EmotionName, Gender


class Status(StrEnum):
    """Whether a recording is usable. If not, ``problem`` in the manifest says why."""

    OK = "ok"
    BAD = "bad"


@dataclass(frozen=True)
class Clip:
    """One recording and what its corpus says about it.

    ``clip_id`` and ``speaker`` are unique across corpora (``ravdess/03-01-…``, ``ravdess/01``).
    ``path`` is relative to the folder of the corpus, with forward slashes. ``label`` is the corpus's own word
    for the emotion. ``emotion`` is the canonical name: one of :class:`~schemas.labels.Emotion`, or another
    that the corpus declares. ``note`` reports an oddity that leaves the clip usable, such as a
    misspelt name; it is written to ``problem`` in the manifest.

    The fields after ``note`` are columns of the manifest only if a clip of the store has a value
    (:data:`schemas.tables.OPTIONAL_COLUMNS`). ``split`` is the corpus's own division of its clips.
    ``valence``, ``arousal`` and ``dominance`` are ratings on the corpus's own scale.
    """

    clip_id: str
    dataset: str
    path: str
    speaker: str
    gender: Gender
    emotion: EmotionName
    label: str
    intensity: str = ""
    sentence: str = ""
    repetition: int | None = None
    note: str = ""
    language: str = ""
    session: str = ""
    split: str = ""
    start_s: float | None = None
    """Start of the clip in its recording, in seconds; None: the clip is the whole recording."""
    end_s: float | None = None
    """End of the clip in its recording, in seconds; None: the end of the recording."""
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None

    @property
    def is_segment(self) -> bool:
        """Whether the clip is a part of its recording."""
        return self.start_s is not None or self.end_s is not None

    def optional_values(self) -> dict[str, str | float]:
        """Optional column of the manifest → value, for those of which this clip has a value."""
        every = {
            "language": self.language,
            "session": self.session,
            "split": self.split,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "valence": self.valence,
            "arousal": self.arousal,
            "dominance": self.dominance,
        }
        return {name: value for name, value in every.items() if value is not None and value != ""}


@dataclass(frozen=True)
class Ignored:
    """A file in the folder of a corpus that is not used as a clip, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Remark:
    """What the manifest says about one clip: why it is bad, or what is odd about a usable one."""

    clip_id: str
    path: str
    problem: str


@dataclass(frozen=True)
class Scan:
    """Contents of one corpus: its clips, sorted by speaker, then clip id, and the files that were ignored."""

    dataset: str
    root: Path
    clips: tuple[Clip, ...]
    ignored: tuple[Ignored, ...] = ()
    notices: tuple[str, ...] = field(default=())
    """Remarks on the corpus as a whole, shown by a build."""
