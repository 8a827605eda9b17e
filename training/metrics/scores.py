"""Metrics of a classifier as records: UA, WA, macro-F1 with intervals, by class and group. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from training.metrics.bootstrap import ClassIntervals, SpeakerIntervals
from training.metrics.calibration import Calibration


@dataclass(frozen=True)
class ClassScore:
    """One class against all others. ``support`` is the number of its clips."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    intervals: ClassIntervals | None
    """None if too few speakers have clips of the class."""


@dataclass(frozen=True)
class GroupScore:
    """UA, WA and macro-F1 over the ``support`` clips of one corpus, gender or speaker.

    UA and macro-F1 are over the classes that have clips in the group. ``speakers`` counts its speakers.
    """

    name: str
    ua: float
    wa: float
    macro_f1: float
    support: int
    speakers: int
    intervals: SpeakerIntervals | None
    """Over the group's own speakers; None if they are too few."""


@dataclass(frozen=True)
class Scores:
    """Metrics over one set of classes; all shares lie in 0…1.

    ``ua`` is the unweighted average recall and ``macro_f1`` the unweighted average F1, both over the
    classes that have clips; ``wa`` is the accuracy. ``confusion[i][j]`` counts clips of class i that were
    predicted as class j.
    """

    ua: float
    wa: float
    macro_f1: float
    support: int
    speakers: int
    intervals: SpeakerIntervals | None
    """None if there are too few speakers."""
    calibration: Calibration
    per_class: tuple[ClassScore, ...]
    by_corpus: tuple[GroupScore, ...]
    by_gender: tuple[GroupScore, ...]
    by_speaker: tuple[GroupScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in index order."""
        return tuple(score.name for score in self.per_class)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``classes`` names the rows and columns of ``confusion``."""
        values = asdict(self)
        confusion = values.pop("confusion")
        return {**values, "classes": list(self.class_names), "confusion": confusion}

    @property
    def tested(self) -> int:
        """Classes that have clips."""
        return sum(score.support > 0 for score in self.per_class)


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one side: over the model's own classes, and over emotions.

    Both are equal if the model predicts only emotions. ``emotion`` compares models of different targets.
    """

    own: Scores
    emotion: Scores
    loss: float
    """Mean cross-entropy, nats."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``."""
        return {"loss": self.loss, "own": self.own.to_json(), "emotion": self.emotion.to_json()}
