"""Metrics of a classifier: UA, WA, macro-F1, per class, per corpus and per gender. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from schemas.errors import RunError
from schemas.labels import LabelSet, Target
from training.targets import emotion_marginal


@dataclass(frozen=True)
class ClassScore:
    """One class against all others. ``support`` is the number of clips that are of the class."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class GroupScore:
    """UA and WA over the ``support`` clips of one corpus or gender, by ``speakers`` speakers."""

    name: str
    ua: float
    wa: float
    support: int
    speakers: int


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
    per_class: tuple[ClassScore, ...]
    by_corpus: tuple[GroupScore, ...]
    by_gender: tuple[GroupScore, ...]
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
    emotions = emotion_marginal(probabilities, labels, target)
    chosen = probabilities[np.arange(len(true)), true]
    return Evaluation(
        own=scores(true, probabilities.argmax(axis=1), labels.class_names(target), groups),
        emotion=scores(
            true % len(labels.classes), emotions.argmax(axis=1), labels.class_names(Target.EMOTION), groups
        ),
        loss=float(-np.log(np.maximum(chosen, np.finfo(np.float64).tiny)).mean()),
    )


def scores(
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    names: tuple[str, ...],
    groups: Mapping[str, ArrayLike],
) -> Scores:
    """Metrics of predicted against true class indices, both (clips,); ``groups`` as in :func:`evaluate`.

    Raises :class:`RunError` where there is no clip.
    """
    if not len(true):
        raise RunError("there is no clip to test on; choose a label set that the test speakers' clips are in")
    indices = np.arange(len(names))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=indices, zero_division=0.0
    )
    present = support > 0
    return Scores(
        ua=float(recall[present].mean()),
        wa=float((true == predicted).mean()),
        macro_f1=float(f1[present].mean()),
        support=len(true),
        speakers=len(np.unique(np.asarray(groups["speaker"], dtype=str))),
        per_class=tuple(
            ClassScore(name, float(p), float(r), float(f), int(n))
            for name, p, r, f, n in zip(names, precision, recall, f1, support, strict=True)
        ),
        by_corpus=_by_group(true, predicted, groups["corpus"], groups["speaker"]),
        by_gender=_by_group(true, predicted, groups["gender"], groups["speaker"]),
        confusion=tuple(
            tuple(int(n) for n in row) for row in confusion_matrix(true, predicted, labels=indices)
        ),
    )


def _by_group(
    true: NDArray[np.int64], predicted: NDArray[np.int64], groups: ArrayLike, speakers: ArrayLike
) -> tuple[GroupScore, ...]:
    of, by = np.asarray(groups, dtype=str), np.asarray(speakers, dtype=str)
    return tuple(
        GroupScore(
            str(name),
            ua=unweighted_average_recall(true[of == name], predicted[of == name]),
            wa=float((true == predicted)[of == name].mean()),
            support=int((of == name).sum()),
            speakers=len(np.unique(by[of == name])),
        )
        for name in np.unique(of)
    )


def unweighted_average_recall(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean over the classes in ``true`` of the share of their clips that were recognised."""
    correct = true == predicted
    return float(np.mean([correct[true == present].mean() for present in np.unique(true)]))
