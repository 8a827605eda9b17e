"""Summary of a protocol's folds: their mean and deviation, and all of their test clips pooled. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.errors import RunError
from schemas.labels import LabelSet, Target
from training.metrics.predictions import Predictions
from training.metrics.scores import Evaluation, Scores, evaluate_predictions
from training.splits.claim import Claim


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What a run of one fold leaves to the summary."""

    name: str
    """As the split calls it: a number, or the speaker who is tested."""
    predictions: Predictions
    """Of the fold's test clips."""
    best_epoch: int | None
    """None where there are no epochs."""
    run: str
    """Name of its run folder."""


@dataclass(frozen=True)
class FoldScores:
    """One fold with its metrics."""

    name: str
    evaluation: Evaluation
    best_epoch: int | None
    run: str


@dataclass(frozen=True)
class Spread:
    """Mean over folds and their sample standard deviation (n - 1), None for a single fold."""

    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Spread of one value a fold."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class FoldSpread:
    """UA, WA and macro-F1 over folds, every fold counting the same."""

    ua: Spread
    wa: Spread
    macro_f1: Spread

    @classmethod
    def of(cls, folds: Sequence[Scores]) -> FoldSpread:
        """Spread of the scores of several folds over the same classes."""
        return cls(
            ua=Spread.of([fold.ua for fold in folds]),
            wa=Spread.of([fold.wa for fold in folds]),
            macro_f1=Spread.of([fold.macro_f1 for fold in folds]),
        )


@dataclass(frozen=True, eq=False)
class Summary:
    """All folds of a protocol, each with a model of its own.

    ``pooled`` takes the predictions of all folds as one test, each clip counting once; its intervals are over
    the test speakers of all folds. So its UA is near the folds' mean, and not the same.
    """

    claim: Claim
    subject: str
    """Such as ``model A, trained on ravdess``: :attr:`training.report.result.RunResult.subject`."""
    target: Target
    folds: tuple[FoldScores, ...]
    pooled: Evaluation
    predictions: Predictions
    """Of all folds, in their order."""

    @property
    def title(self) -> str:
        """``speaker-independent (protocol: emobox, 6 folds)``."""
        return self.claim.title

    @property
    def emotion(self) -> FoldSpread:
        """Over folds, of emotions alone: the headline."""
        return FoldSpread.of([fold.evaluation.emotion for fold in self.folds])

    @property
    def own(self) -> FoldSpread:
        """Over folds, of the model's own classes."""
        return FoldSpread.of([fold.evaluation.own for fold in self.folds])

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``summary.json``; equal for equal runs but for the names of their folders."""
        return {
            "title": self.title,
            "claim": self.claim.to_json(),
            "subject": self.subject,
            "target": str(self.target),
            "over_folds": {"emotion": asdict(self.emotion), "own": asdict(self.own)},
            "pooled": self.pooled.to_json(),
            "folds": [
                {
                    "name": fold.name,
                    "run": fold.run,
                    "best_epoch": fold.best_epoch,
                    "test": fold.evaluation.to_json(),
                }
                for fold in self.folds
            ],
        }


def summarise(
    folds: Sequence[FoldResult], labels: LabelSet, target: Target, claim: Claim, subject: str
) -> Summary:
    """Summary of folds, in their order.

    Raises :class:`RunError` where there is none, where one has no clip or other classes, or where two
    tested the same clip.
    """
    if not folds:
        raise RunError("there is no fold to sum up; train at least one")
    predictions = Predictions.joined([fold.predictions for fold in folds])
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
            )
            for fold in folds
        ),
        pooled=evaluate_predictions(predictions, labels, target),
        predictions=predictions,
    )
