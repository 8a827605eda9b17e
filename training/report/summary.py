"""Summary of a protocol's folds: mean and deviation over folds, and all test clips pooled. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.errors import RunError
from schemas.labels import LabelSet, Target
from training.audits.sentences import SharedSentences
from training.metrics.ensemble_weights import EnsembleWeights
from training.metrics.evaluation import evaluate_predictions
from training.metrics.predictions import Predictions
from training.metrics.scores import Evaluation, Scores
from training.metrics.temperature import TemperatureEffect
from training.splits.claim import Claim


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What the summary needs of one fold."""

    name: str
    """Name in the split: a number, or the tested speaker."""
    predictions: Predictions
    """Predictions for the fold's test clips."""
    best_epoch: int | None
    """None for a model without epochs."""
    run: str
    """Name of its run folder."""
    sentences: tuple[SharedSentences, ...] = ()
    """What its test shares with training, by corpus."""
    temperature: TemperatureEffect | None = None
    """None for a model without one, and for several models."""
    weights: EnsembleWeights | None = None
    """Of the averaged models; None: equal, or a single one."""


@dataclass(frozen=True)
class FoldScores:
    """One fold with its metrics."""

    name: str
    evaluation: Evaluation
    best_epoch: int | None
    run: str
    sentences: tuple[SharedSentences, ...]
    temperature: TemperatureEffect | None
    weights: EnsembleWeights | None


@dataclass(frozen=True)
class MeanAndDeviation:
    """Mean over folds and sample standard deviation (n - 1), None for a single fold."""

    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> MeanAndDeviation:
        """Mean and deviation of one value per fold."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class FoldStatistics:
    """UA, WA and macro-F1 over folds, each fold with equal weight."""

    ua: MeanAndDeviation
    wa: MeanAndDeviation
    macro_f1: MeanAndDeviation

    @classmethod
    def of(cls, folds: Sequence[Scores]) -> FoldStatistics:
        """Statistics of the scores of several folds over the same classes."""
        return cls(
            ua=MeanAndDeviation.of([fold.ua for fold in folds]),
            wa=MeanAndDeviation.of([fold.wa for fold in folds]),
            macro_f1=MeanAndDeviation.of([fold.macro_f1 for fold in folds]),
        )


@dataclass(frozen=True, eq=False)
class Summary:
    """All folds of a protocol; each fold has its own model.

    ``pooled`` treats the predictions of all folds as one test, in which each clip counts once; its intervals
    are over the test speakers of all folds. Its UA is therefore close to, but not equal to, the folds' mean.
    """

    claim: Claim
    subject: str
    """``model A, trained on ravdess``: :func:`training.report.result.subject_of`."""
    target: Target
    folds: tuple[FoldScores, ...]
    pooled: Evaluation
    predictions: Predictions
    """Predictions of all folds, in their order."""
    members: tuple[str, ...] = ()
    """Names of the averaged series, in the order of weights; empty for a single one."""

    @property
    def title(self) -> str:
        """``speaker-independent (protocol: emobox, 6 folds)``."""
        return self.claim.title

    @property
    def emotion(self) -> FoldStatistics:
        """Statistics over folds for emotions: the headline."""
        return FoldStatistics.of([fold.evaluation.emotion for fold in self.folds])

    @property
    def weights(self) -> tuple[EnsembleWeights, ...]:
        """Of the averaged models in each fold; empty: they are equal, or there is one."""
        return tuple(fold.weights for fold in self.folds if fold.weights is not None)

    @property
    def own(self) -> FoldStatistics:
        """Statistics over folds for the model's own classes."""
        return FoldStatistics.of([fold.evaluation.own for fold in self.folds])

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``summary.json``; equal for equal runs except for the folder names."""
        return {
            "title": self.title,
            "claim": self.claim.to_json(),
            "subject": self.subject,
            "members": list(self.members),
            "target": str(self.target),
            "over_folds": {"emotion": asdict(self.emotion), "own": asdict(self.own)},
            "pooled": self.pooled.to_json(),
            "folds": [
                {
                    "name": fold.name,
                    "run": fold.run,
                    "best_epoch": fold.best_epoch,
                    "sentences": [shared.to_json() for shared in fold.sentences],
                    "weights": None if fold.weights is None else fold.weights.to_json(),
                    "temperature": None if fold.temperature is None else fold.temperature.to_json(),
                    "test": fold.evaluation.to_json(),
                }
                for fold in self.folds
            ],
        }


def summarise(
    folds: Sequence[FoldResult],
    labels: LabelSet,
    target: Target,
    claim: Claim,
    subject: str,
    members: tuple[str, ...] = (),
) -> Summary:
    """Summarise folds, in their order.

    Raises :class:`RunError` if there are none, if a fold has no clips or other classes, or if two folds test
    the same clip.
    """
    if not folds:
        raise RunError("there are no folds to summarise; train at least one")
    predictions = Predictions.join([fold.predictions for fold in folds])
    return Summary(
        claim=claim,
        subject=subject,
        target=target,
        folds=tuple(
            FoldScores(
                fold.name,
                evaluate_predictions(fold.predictions, labels, target),
                fold.best_epoch,
                fold.run,
                fold.sentences,
                fold.temperature,
                fold.weights,
            )
            for fold in folds
        ),
        pooled=evaluate_predictions(predictions, labels, target),
        predictions=predictions,
        members=members,
    )
