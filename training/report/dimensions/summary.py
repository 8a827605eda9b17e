"""Summary of a regression's folds: mean and deviation over folds, and all test clips pooled. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.errors import RunError
from schemas.labels import Target
from training.audits.sentences import SharedSentences
from training.metrics.dimensions import DimensionEvaluation, evaluate_values
from training.metrics.value_predictions import ValuePredictions
from training.report.summary import MeanAndDeviation
from training.splits.claim import Claim


@dataclass(frozen=True, eq=False)
class DimensionFold:
    """One fold of a regression with its metrics; fields as of :class:`training.report.summary.FoldResult`."""

    name: str
    evaluation: DimensionEvaluation
    predictions: ValuePredictions
    best_epoch: int | None
    run: str
    sentences: tuple[SharedSentences, ...] = ()


@dataclass(frozen=True, eq=False)
class DimensionSummary:
    """All folds of a protocol; each fold has its own model.

    ``pooled`` treats the predictions of all folds as one test, in which each clip counts once. Its CCC is not
    the folds' mean: it also compares the levels of the folds.
    """

    claim: Claim
    subject: str
    folds: tuple[DimensionFold, ...]
    pooled: DimensionEvaluation
    predictions: ValuePredictions
    """Predictions of all folds, in their order."""

    @property
    def title(self) -> str:
        """``speaker-independent (protocol: emobox, 6 folds)``."""
        return self.claim.title

    @property
    def ccc(self) -> MeanAndDeviation:
        """Over folds: the headline."""
        return MeanAndDeviation.of([fold.evaluation.ccc for fold in self.folds])

    @property
    def rmse(self) -> MeanAndDeviation:
        """Over folds."""
        return MeanAndDeviation.of([fold.evaluation.rmse for fold in self.folds])

    @property
    def ccc_of_dimensions(self) -> dict[str, MeanAndDeviation]:
        """Over folds, by dimension."""
        return {
            name: MeanAndDeviation.of([fold.evaluation.per_dimension[i].ccc for fold in self.folds])
            for i, name in enumerate(self.pooled.names)
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``summary.json``; equal for equal runs except for the folder names."""
        return {
            "title": self.title,
            "claim": self.claim.to_json(),
            "subject": self.subject,
            "target": str(Target.REGRESSION),
            "over_folds": {
                "ccc": asdict(self.ccc),
                "rmse": asdict(self.rmse),
                "dimensions": {name: asdict(each) for name, each in self.ccc_of_dimensions.items()},
            },
            "pooled": self.pooled.to_json(),
            "folds": [
                {
                    "name": fold.name,
                    "run": fold.run,
                    "best_epoch": fold.best_epoch,
                    "sentences": [shared.to_json() for shared in fold.sentences],
                    "test": fold.evaluation.to_json(),
                }
                for fold in self.folds
            ],
        }


def summarise_dimensions(folds: Sequence[DimensionFold], claim: Claim, subject: str) -> DimensionSummary:
    """Summarise folds, in their order. Raises :class:`RunError` if there are none, or two test one clip."""
    if not folds:
        raise RunError("there are no folds to summarise; train at least one")
    predictions = ValuePredictions.join([fold.predictions for fold in folds])
    return DimensionSummary(claim, subject, tuple(folds), evaluate_values(predictions), predictions)
