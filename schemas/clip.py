"""A clip: one labelled recording of a corpus, as it stands in the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from schemas.labels import Emotion, Gender


class Status(StrEnum):
    """Whether a recording could be used. ``problem`` says why not."""

    OK = "ok"
    BAD = "bad"


@dataclass(frozen=True)
class Clip:
    """One recording and what its corpus says of it.

    ``clip_id`` and ``speaker`` are unique across corpora (``ravdess/03-01-…``, ``ravdess/01``).
    ``path`` is relative to the folder of the corpus, with forward slashes. ``label`` is the
    corpus's own word for the emotion. ``note`` tells of an oddity that does not make the clip
    unusable (a misspelt name that was read as meant, say); it goes to ``problem`` in the manifest.
    """

    clip_id: str
    dataset: str
    path: str
    speaker: str
    gender: Gender
    emotion: Emotion
    label: str
    intensity: str = ""
    sentence: str = ""
    repetition: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Ignored:
    """A file under the folder of a corpus that is not taken as a clip, and why."""

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
    """What one corpus holds: its clips (sorted by speaker, then clip id) and what was left aside."""

    dataset: str
    root: Path
    clips: tuple[Clip, ...]
    ignored: tuple[Ignored, ...] = ()
    notices: tuple[str, ...] = field(default=())
    """Sentences about the corpus as a whole, for the person who builds."""
