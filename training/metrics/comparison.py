"""Two results on the same clips, figure by figure: overall, by class or dimension, corpus and gender.

No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.described.description import person_of
from schemas.labels import LabelSet, Target
from training.metrics.concordance import AgreementSums
from training.metrics.confusion import ConfusionCounts, confusions, unweighted_average_recall
from training.metrics.mcnemar import McNemar, compare_answers
from training.metrics.paired import (
    AgreementDifferences,
    PairedDifference,
    compare_agreement,
    compare_rates,
    compare_recalls,
)
from training.metrics.predictions import Predictions
from training.metrics.value_predictions import ValuePredictions
from training.samples.targets import emotion_marginal

FigureName = Literal["UA", "WA", "macro-F1", "recall", "CCC", "RMSE"]


@dataclass(frozen=True)
class ComparedFigure:
    """One figure of two results, over all test clips or those of one class, dimension, corpus or gender."""

    figure: FigureName
    name: str
    """Of the class, dimension or group; empty for all clips."""
    difference: PairedDifference
    support: int
    """Test clips."""
    speakers: int
    """Speakers of these clips."""

    @property
    def first_is_better(self) -> bool:
        """Whether the first result is better: RMSE should be low, every other figure high."""
        return self.difference.value < 0 if self.figure == "RMSE" else self.difference.value > 0


@dataclass(frozen=True)
class SpeakerCounts:
    """Test speakers by which result has the higher headline figure over their clips."""

    first: int
    second: int
    equal: int


@dataclass(frozen=True)
class PairedComparison:
    """Two results on the same clips."""

    headline: ComparedFigure
    """UA, or the mean CCC of the dimensions."""
    others: tuple[ComparedFigure, ...]
    """WA and macro-F1, or RMSE."""
    by_part: tuple[ComparedFigure, ...]
    """Recall of each emotion that has clips, or CCC and RMSE of each dimension."""
    by_corpus: tuple[ComparedFigure, ...]
    by_gender: tuple[ComparedFigure, ...]
    by_speaker: SpeakerCounts
    mcnemar: McNemar | None
    """None for a regression."""

    @property
    def overall(self) -> tuple[ComparedFigure, ...]:
        """Figures over all clips, the headline first."""
        return (self.headline, *self.others)

    @property
    def figures(self) -> tuple[ComparedFigure, ...]:
        """All of them."""
        return (*self.overall, *self.by_part, *self.by_corpus, *self.by_gender)


@dataclass(frozen=True, eq=False)
class EmotionAnswers:
    """True and predicted emotion of each clip; models of different targets compare by their emotions.

    ``true``, ``predicted`` (clips,) int64 index ``names``; ``corpus``, ``gender`` and ``speaker`` (clips,).
    A speaker of two corpora is one.
    """

    names: tuple[str, ...]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    corpus: NDArray[np.str_]
    gender: NDArray[np.str_]
    speaker: NDArray[np.str_]

    @classmethod
    def of(cls, predictions: Predictions, labels: LabelSet, target: Target) -> EmotionAnswers:
        """Answers of predictions: the most probable emotion after summing over genders."""
        marginal = emotion_marginal(predictions.probabilities.astype(np.float64), labels, target)
        return cls(
            names=labels.class_names(Target.EMOTION),
            true=predictions.true % len(labels.classes),
            predicted=np.asarray(marginal.argmax(axis=1), dtype=np.int64),
            corpus=np.array(predictions.dataset, dtype=str),
            gender=np.array(predictions.gender, dtype=str),
            speaker=_persons(predictions.speaker),
        )

    @property
    def ua(self) -> float:
        """UA over all clips."""
        return unweighted_average_recall(self.true, self.predicted)

    def of_speakers(self, within: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Confusion matrices (speakers, classes, classes) of the clips ``within``, sorted by speaker."""
        chosen = np.ones(len(self.true), dtype=bool) if within is None else within
        speaker = _indices(self.speaker[chosen])
        return confusions(self.true[chosen], self.predicted[chosen], len(self.names), speaker)


def compare_classifiers(first: EmotionAnswers, second: EmotionAnswers) -> PairedComparison:
    """Compare answers for the same clips in the same order."""
    one, two = first.of_speakers(), second.of_speakers()
    support = one.sum(axis=(0, 2))
    rates = compare_rates(one, two)
    classes = zip(
        first.names, compare_recalls(one, two), support, (one.sum(axis=2) > 0).sum(axis=0), strict=True
    )

    def compare_group(within: NDArray[np.bool_]) -> PairedDifference:
        return compare_rates(first.of_speakers(within), second.of_speakers(within)).ua

    return PairedComparison(
        headline=ComparedFigure("UA", "", rates.ua, len(first.true), len(one)),
        others=(
            ComparedFigure("WA", "", rates.wa, len(first.true), len(one)),
            ComparedFigure("macro-F1", "", rates.macro_f1, len(first.true), len(one)),
        ),
        by_part=tuple(
            ComparedFigure("recall", name, difference, int(clips), int(speakers))
            for name, difference, clips, speakers in classes
            if clips
        ),
        by_corpus=_compare_groups("UA", first.corpus, first.speaker, compare_group),
        by_gender=_compare_groups("UA", first.gender, first.speaker, compare_group),
        by_speaker=_count_speakers(ConfusionCounts.of(one).ua, ConfusionCounts.of(two).ua),
        mcnemar=compare_answers(first.predicted == first.true, second.predicted == second.true),
    )


def compare_regressions(first: ValuePredictions, second: ValuePredictions) -> PairedComparison:
    """Compare values that were predicted for the same clips in the same order."""
    persons = _persons(first.speaker)

    def of_speakers(found: ValuePredictions, within: NDArray[np.bool_]) -> AgreementSums:
        predicted = found.predicted.astype(np.float64)[within]
        return AgreementSums.of(found.true[within], predicted, _indices(persons[within]))

    def compare(within: NDArray[np.bool_]) -> AgreementDifferences:
        return compare_agreement(of_speakers(first, within), of_speakers(second, within))

    def compare_group(within: NDArray[np.bool_]) -> PairedDifference:
        return compare(within).ccc

    everything = np.ones(len(first), dtype=bool)
    found, clips, speakers = compare(everything), len(first), len({*persons})
    each = zip(first.names, found.ccc_of_each, found.rmse_of_each, strict=True)
    return PairedComparison(
        headline=ComparedFigure("CCC", "", found.ccc, clips, speakers),
        others=(ComparedFigure("RMSE", "", found.rmse, clips, speakers),),
        by_part=tuple(
            figure
            for name, ccc, rmse in each
            for figure in (
                ComparedFigure("CCC", name, ccc, clips, speakers),
                ComparedFigure("RMSE", name, rmse, clips, speakers),
            )
        ),
        by_corpus=_compare_groups("CCC", np.array(first.dataset), persons, compare_group),
        by_gender=_compare_groups("CCC", np.array(first.gender), persons, compare_group),
        by_speaker=_count_speakers(
            of_speakers(first, everything).ccc.mean(axis=1), of_speakers(second, everything).ccc.mean(axis=1)
        ),
        mcnemar=None,
    )


def _compare_groups(
    figure: FigureName,
    groups: NDArray[np.str_],
    speakers: NDArray[np.str_],
    compare: Callable[[NDArray[np.bool_]], PairedDifference],
) -> tuple[ComparedFigure, ...]:
    """One figure per group, sorted by name; ``groups`` and ``speakers`` (clips,)."""
    return tuple(
        ComparedFigure(
            figure,
            str(name),
            compare(groups == name),
            int((groups == name).sum()),
            len(np.unique(speakers[groups == name])),
        )
        for name in np.unique(groups)
    )


def _count_speakers(first: NDArray[np.float64], second: NDArray[np.float64]) -> SpeakerCounts:
    equal = np.isclose(first, second, rtol=0, atol=1e-12)
    return SpeakerCounts(
        int((~equal & (first > second)).sum()), int((~equal & (first < second)).sum()), int(equal.sum())
    )


def _persons(speakers: Sequence[str]) -> NDArray[np.str_]:
    return np.array([person_of(speaker) for speaker in speakers], dtype=str)


def _indices(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Index of each name among the sorted unique names."""
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)
