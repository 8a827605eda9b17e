"""Metrics of a classifier: UA, WA, macro-F1 with intervals, by class and group, calibration. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import RunError
from schemas.labels import LabelSet, Target
from training.metrics.bootstrap import ClassIntervals, SpeakerIntervals, class_intervals, speaker_intervals
from training.metrics.calibration import Calibration, calibration_of
from training.metrics.confusion import Tally, confusions
from training.metrics.predictions import Predictions
from training.samples.targets import emotion_marginal

_SMALLEST = float(np.finfo(np.float32).tiny)
"""A smaller probability of the true class counts as this one: a clip's loss is at most 87 nats."""


@dataclass(frozen=True)
class ClassScore:
    """One class against all others. ``support`` is the number of clips that are of the class."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    intervals: ClassIntervals | None
    """None where too few speakers have clips of the class."""


@dataclass(frozen=True)
class GroupScore:
    """UA, WA and macro-F1 over the ``support`` clips of one corpus, gender or speaker.

    UA and macro-F1 are over the classes that the group has clips of. ``speakers`` is how many it holds.
    """

    name: str
    ua: float
    wa: float
    macro_f1: float
    support: int
    speakers: int
    intervals: SpeakerIntervals | None
    """Over the group's own speakers; None where they are too few."""


@dataclass(frozen=True)
class Scores:
    """Metrics over one set of classes; all shares lie in 0…1.

    ``ua`` is the unweighted average recall and ``macro_f1`` the unweighted average F1, both over the
    classes that occur among the true ones; ``wa`` is the accuracy. ``confusion[i][j]`` counts clips of
    class i that were taken for class j.
    """

    ua: float
    wa: float
    macro_f1: float
    support: int
    speakers: int
    intervals: SpeakerIntervals | None
    """None where there are too few speakers."""
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
    """Metrics of one side: over the model's own classes, and over emotions alone.

    For a model of emotions alone both are equal. ``emotion`` is what compares models of different targets.
    """

    own: Scores
    emotion: Scores
    loss: float
    """Mean cross-entropy, nats."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``."""
        return {"loss": self.loss, "own": self.own.to_json(), "emotion": self.emotion.to_json()}


def evaluate_predictions(predictions: Predictions, labels: LabelSet, target: Target) -> Evaluation:
    """Metrics of predictions, those of a file too.

    Raises :class:`RunError` where there is no clip, or the classes are not those of labels and target.
    """
    if predictions.classes != labels.class_names(target):
        raise RunError(
            f"the predictions are of {', '.join(predictions.classes)}, and label set '{labels.name}' with "
            f"target {target} has {', '.join(labels.class_names(target))}; name those that were trained on"
        )
    return evaluate(
        predictions.true, predictions.probabilities.astype(np.float64), labels, target, predictions.groups
    )


def evaluate(
    true: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    labels: LabelSet,
    target: Target,
    groups: Mapping[str, ArrayLike],
) -> Evaluation:
    """Metrics of predictions for one side.

    Parameters
    ----------
    true : (clips,) int64
        Class indices.
    probabilities : (clips, classes) float64
        Rows sum to 1. The most probable class is predicted; for emotions, the most probable after
        summing over genders.
    groups : mapping
        ``"corpus"``, ``"gender"`` and ``"speaker"`` of each clip, (clips,).

    Raises
    ------
    RunError
        If there is no clip.
    """
    own = scores(true, probabilities, labels.class_names(target), groups)
    emotion = own
    if target is not Target.EMOTION:
        emotion = scores(
            true % len(labels.classes),
            emotion_marginal(probabilities, labels, target),
            labels.class_names(Target.EMOTION),
            groups,
        )
    chosen = probabilities[np.arange(len(true)), true]
    return Evaluation(own=own, emotion=emotion, loss=float(-np.log(np.maximum(chosen, _SMALLEST)).mean()))


def scores(
    true: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    names: tuple[str, ...],
    groups: Mapping[str, ArrayLike],
) -> Scores:
    """Metrics of probabilities (clips, classes) for true class indices (clips,) of the classes ``names``.

    ``groups`` as in :func:`evaluate`. Raises :class:`RunError` where there is no clip.
    """
    if not len(true):
        raise RunError("there is no clip to test on; choose a label set that the test speakers' clips are in")
    predicted = probabilities.argmax(axis=1)
    grouped = {
        kind: _Grouped.of(true, predicted, len(names), groups[kind], groups["speaker"])
        for kind in ("corpus", "gender", "speaker")
    }
    by_speaker = grouped["speaker"].matrices
    matrix = by_speaker.sum(axis=0)
    tally = Tally.of(matrix)
    return Scores(
        ua=float(tally.ua),
        wa=float(tally.wa),
        macro_f1=float(tally.macro_f1),
        support=len(true),
        speakers=len(grouped["speaker"].names),
        intervals=speaker_intervals(by_speaker),
        calibration=calibration_of(true, probabilities),
        per_class=tuple(
            ClassScore(name, float(precision), float(recall), float(f1), int(support), intervals)
            for name, precision, recall, f1, support, intervals in zip(
                names,
                tally.precision,
                tally.recall,
                tally.f1,
                tally.true,
                class_intervals(by_speaker),
                strict=True,
            )
        ),
        by_corpus=grouped["corpus"].scores(),
        by_gender=grouped["gender"].scores(),
        by_speaker=grouped["speaker"].scores(),
        confusion=tuple(tuple(row) for row in matrix.tolist()),
    )


@dataclass(frozen=True, eq=False)
class _Grouped:
    """Confusion matrices (groups, classes, classes) of groups by name, sorted, and of their speakers."""

    names: tuple[str, ...]
    matrices: NDArray[np.int64]
    by_speaker: tuple[NDArray[np.int64], ...]
    """A group each: (speakers, classes, classes)."""

    @classmethod
    def of(
        cls,
        true: NDArray[np.int64],
        predicted: NDArray[np.int64],
        classes: int,
        groups: ArrayLike,
        speakers: ArrayLike,
    ) -> _Grouped:
        names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        by = np.asarray(speakers, dtype=str)
        return cls(
            names=tuple(map(str, names)),
            matrices=confusions(true, predicted, classes, group),
            by_speaker=tuple(
                confusions(true[within], predicted[within], classes, _numbered(by[within]))
                for within in (group == i for i in range(len(names)))
            ),
        )

    def scores(self) -> tuple[GroupScore, ...]:
        """Scores of every group."""
        tally = Tally.of(self.matrices)
        return tuple(
            GroupScore(
                name, float(ua), float(wa), float(f1), int(true.sum()), len(people), speaker_intervals(people)
            )
            for name, ua, wa, f1, true, people in zip(
                self.names, tally.ua, tally.wa, tally.macro_f1, tally.true, self.by_speaker, strict=True
            )
        )


def _numbered(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Index of each name among the different ones, sorted."""
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def unweighted_average_recall(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean over the classes in ``true`` of the share of their clips that were recognised."""
    correct = true == predicted
    return float(np.mean([correct[true == present].mean() for present in np.unique(true)]))
