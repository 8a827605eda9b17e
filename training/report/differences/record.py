"""Results that are compared with a baseline, and their differences, as records. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from schemas.labels_spec import LabelsSpec
from training.metrics.bootstrap import LEVEL, REPLICATES, Interval
from training.metrics.comparison import ComparedFigure, PairedComparison
from training.metrics.ensemble_weights import EnsembleWeights
from training.metrics.side import AnyPredictions
from training.report.differences.verdict import Verdict
from training.report.summary import MeanAndDeviation
from training.splits.claim import Claim


@dataclass(frozen=True)
class Member:
    """A run or series whose predictions are compared, alone or in a mean."""

    name: str
    kind: Literal["run", "series"]
    seed: int
    store_digest: str
    predictions_sha256: str | None
    """Of ``predictions.csv``; None if an older version wrote it, without hashes."""


@dataclass(frozen=True, eq=False)
class ComparedFold:
    """The test of one fold."""

    name: str
    clips: frozenset[tuple[str, int]]
    """Clip and view."""
    figure: float
    """UA over emotions, or the mean CCC."""


@dataclass(frozen=True, eq=False)
class ComparedResult:
    """A run, a series, or the mean of several, with its stored test predictions."""

    name: str
    subject: str
    """``model A, trained on ravdess``: :func:`training.report.result.subject_of`."""
    claim: Claim
    labels: LabelsSpec
    predictions: AnyPredictions
    """Of all folds of a series; each clip was tested once."""
    members: tuple[Member, ...]
    folds: tuple[ComparedFold, ...] = ()
    """Empty for runs."""
    weights: tuple[EnsembleWeights, ...] = ()
    """Of the averaged members, for each fold; empty: they are equal, or there is one."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the predictions."""
        return {
            "name": self.name,
            "subject": self.subject,
            "title": self.claim.title,
            "claim": self.claim.to_json(),
            "labels": self.labels.described,
            "target": str(self.labels.target),
            "members": [asdict(member) for member in self.members],
            "weights": [each.to_json() for each in self.weights] or None,
        }


@dataclass(frozen=True)
class FoldDifferences:
    """The headline figure of two series over the same folds, each fold with equal weight."""

    first: MeanAndDeviation
    second: MeanAndDeviation
    difference: MeanAndDeviation
    """First − second in the same fold."""
    folds: int
    better: int
    """Folds in which the first is higher."""


@dataclass(frozen=True, eq=False)
class ResultComparison:
    """One result against the baseline."""

    result: ComparedResult
    figures: PairedComparison
    """First: the result; second: the baseline."""
    over_folds: FoldDifferences | None
    """None unless both are series over the same folds."""
    adjusted_p: float | None
    """Of the headline figure, after Holm's correction for all comparisons with the baseline."""
    verdict: Verdict
    sentence: str
    """What may be claimed."""
    conditions: tuple[str, ...]
    """Sentences: in what the results differ, apart from their models."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = self.figures
        return {
            "result": self.result.to_json(),
            "sentence": self.sentence,
            "verdict": asdict(self.verdict),
            "adjusted_p": self.adjusted_p,
            "conditions": list(self.conditions),
            "overall": [_figure_json(each) for each in found.overall],
            "by_part": [_figure_json(each) for each in found.by_part],
            "by_corpus": [_figure_json(each) for each in found.by_corpus],
            "by_gender": [_figure_json(each) for each in found.by_gender],
            "by_speaker": asdict(found.by_speaker),
            "mcnemar": None if found.mcnemar is None else asdict(found.mcnemar),
            "over_folds": None if self.over_folds is None else asdict(self.over_folds),
        }


@dataclass(frozen=True, eq=False)
class ResultComparisons:
    """Results against one baseline."""

    baseline: ComparedResult
    comparisons: tuple[ResultComparison, ...]
    notices: tuple[str, ...] = ()

    @property
    def headline(self) -> ComparedFigure:
        """That of the first comparison; all have the same clips."""
        return self.comparisons[0].figures.headline

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``comparison.json``; equal for equal results."""
        return {
            "baseline": self.baseline.to_json(),
            "clips": self.headline.support,
            "speakers": self.headline.speakers,
            "method": {
                "interval": "paired speaker bootstrap, expanded percentiles",
                "level": LEVEL,
                "replicates": REPLICATES,
                "correction": "Holm" if len(self.comparisons) > 1 else None,
            },
            "notices": list(self.notices),
            "comparisons": [each.to_json() for each in self.comparisons],
        }


def _figure_json(found: ComparedFigure) -> dict[str, Any]:
    difference = found.difference
    bounds: Interval | None = difference.interval
    return {
        "figure": found.figure,
        "name": found.name,
        "result": difference.first,
        "baseline": difference.second,
        "difference": difference.value,
        "interval": None if bounds is None else asdict(bounds),
        "p": difference.p,
        "clips": found.support,
        "speakers": found.speakers,
    }
