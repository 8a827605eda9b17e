"""Compute the metrics of a classifier from its predictions. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.described.description import person_of
from schemas.errors import RunError
from schemas.labels import LabelSet, Target
from training.metrics.bootstrap import class_intervals, speaker_intervals
from training.metrics.calibration import calibration_of, log_loss
from training.metrics.confusion import ConfusionCounts, confusions
from training.metrics.predictions import Predictions
from training.metrics.scores import ClassScore, Evaluation, GroupScore, Scores
from training.samples.targets import emotion_marginal


def evaluate_predictions(predictions: Predictions, labels: LabelSet, target: Target) -> Evaluation:
    """Compute the metrics of predictions, for example from a file.

    Raises :class:`RunError` if there are no clips, or if the classes are not those of labels and target.
    """
    if predictions.classes != labels.class_names(target):
        raise RunError(
            f"the predictions are of {', '.join(predictions.classes)}, but label set '{labels.name}' with "
            f"target {target} has {', '.join(labels.class_names(target))}; name those used in training"
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
    """Compute the metrics of one side.

    Parameters
    ----------
    true : (clips,) int64
        Class indices.
    probabilities : (clips, classes) float64
        Rows sum to 1. The most probable class is predicted; for emotions, the most probable after
        summing over genders.
    groups : mapping
        ``"corpus"``, ``"gender"`` and ``"speaker"`` of each clip, (clips,). A speaker of two corpora is one.

    Raises
    ------
    RunError
        If there are no clips.
    """
    own = score(true, probabilities, labels.class_names(target), groups)
    emotion = own
    if target is not Target.EMOTION:
        emotion = score(
            true % len(labels.classes),
            emotion_marginal(probabilities, labels, target),
            labels.class_names(Target.EMOTION),
            groups,
        )
    return Evaluation(own=own, emotion=emotion, loss=log_loss(true, probabilities))


def score(
    true: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    names: tuple[str, ...],
    groups: Mapping[str, ArrayLike],
) -> Scores:
    """Compute the metrics of probabilities (clips, classes) for true class indices (clips,) into ``names``.

    ``groups`` as in :func:`evaluate`. Raises :class:`RunError` if there are no clips.
    """
    if not len(true):
        raise RunError(
            "there are no clips to test on; choose a label set that covers clips of the test speakers"
        )
    predicted = probabilities.argmax(axis=1)
    persons = [person_of(str(speaker)) for speaker in np.asarray(groups["speaker"])]
    grouped = {
        kind: _Grouped.of(true, predicted, len(names), by, persons)
        for kind, by in (("corpus", groups["corpus"]), ("gender", groups["gender"]), ("speaker", persons))
    }
    by_speaker = grouped["speaker"].matrices
    matrix = by_speaker.sum(axis=0)
    counts = ConfusionCounts.of(matrix)
    return Scores(
        ua=float(counts.ua),
        wa=float(counts.wa),
        macro_f1=float(counts.macro_f1),
        support=len(true),
        speakers=len(grouped["speaker"].names),
        intervals=speaker_intervals(by_speaker),
        calibration=calibration_of(true, probabilities),
        per_class=tuple(
            ClassScore(name, float(precision), float(recall), float(f1), int(support), intervals)
            for name, precision, recall, f1, support, intervals in zip(
                names,
                counts.precision,
                counts.recall,
                counts.f1,
                counts.true,
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
    """Confusion matrices (groups, classes, classes) of groups, sorted by name, and of their speakers."""

    names: tuple[str, ...]
    matrices: NDArray[np.int64]
    by_speaker: tuple[NDArray[np.int64], ...]
    """One array per group: (speakers, classes, classes)."""

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
                confusions(true[within], predicted[within], classes, _index_names(by[within]))
                for within in (group == i for i in range(len(names)))
            ),
        )

    def scores(self) -> tuple[GroupScore, ...]:
        """Scores of every group."""
        counts = ConfusionCounts.of(self.matrices)
        return tuple(
            GroupScore(
                name, float(ua), float(wa), float(f1), int(true.sum()), len(people), speaker_intervals(people)
            )
            for name, ua, wa, f1, true, people in zip(
                self.names, counts.ua, counts.wa, counts.macro_f1, counts.true, self.by_speaker, strict=True
            )
        )


def _index_names(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Index of each name among the sorted unique names."""
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)
