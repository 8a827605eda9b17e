"""How far a model falls under each stored view, beside the original. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.views import ViewSpec
from training.audits.sentences import SharedSentences
from training.metrics.ensemble_weights import EnsembleWeights
from training.metrics.predictions import Predictions
from training.metrics.scores import Scores
from training.report.summary import FoldStatistics, MeanAndDeviation
from training.splits.claim import Claim

CSV_HEADER = ("view", "index", "setting", "in_training", "models", "fold", "clips", "speakers",
              "ua", "wa", "macro_f1", "ece", "ua_change")  # fmt: skip


@dataclass(frozen=True)
class ViewScores:
    """Test clips in one view, fold by fold; a single run is one fold."""

    index: int
    name: str
    setting: str
    """Its parameter: ``semitones 2``; empty if it has none."""
    in_training: int
    """Models that were trained on such copies; :attr:`Robustness.models` is their number."""
    folds: tuple[Scores, ...]
    """Over emotions, in the order of the folds."""

    @property
    def over_folds(self) -> FoldStatistics:
        """Mean and deviation over folds."""
        return FoldStatistics.of(self.folds)

    @property
    def clips(self) -> int:
        """Test clips of all folds."""
        return sum(fold.support for fold in self.folds)


@dataclass(frozen=True, eq=False)
class Robustness:
    """A model, the mean of several, or a series of folds, tested on each view of its test clips."""

    claim: Claim
    subject: str
    fold_names: tuple[str | None, ...]
    """None for a test that is not of a series."""
    views: tuple[ViewScores, ...]
    """The original is the first."""
    models: int
    """Number of averaged models."""
    predictions: Predictions
    """Every clip in every view."""
    sentences: tuple[tuple[SharedSentences, ...], ...]
    """By fold and corpus."""
    members: tuple[str, ...]
    """Names of the runs or series, in the order of weights."""
    weights: tuple[EnsembleWeights, ...]
    """By fold; empty: equal, or a single model."""
    store_digest: str
    notices: tuple[str, ...]

    @property
    def original(self) -> ViewScores:
        """The clean clips, with which views are compared."""
        return self.views[0]

    @property
    def is_series(self) -> bool:
        """Whether figures are means over folds."""
        return len(self.fold_names) > 1

    def change(self, view: ViewScores) -> MeanAndDeviation:
        """UA of a view minus that of the original in the same fold, −1…1."""
        return MeanAndDeviation.of(
            [one.ua - clean.ua for one, clean in zip(view.folds, self.original.folds, strict=True)]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``robustness.json``."""
        return {
            "title": self.claim.title,
            "claim": self.claim.to_json(),
            "subject": self.subject,
            "members": list(self.members),
            "weights": [each.to_json() for each in self.weights] or None,
            "sentences": [[part.to_json() for part in fold] for fold in self.sentences],
            "store_digest": self.store_digest,
            "models": self.models,
            "notices": list(self.notices),
            "views": [self._view_json(view) for view in self.views],
        }

    def _view_json(self, view: ViewScores) -> dict[str, Any]:
        return {
            "name": view.name,
            "index": view.index,
            "setting": view.setting,
            "in_training": view.in_training,
            "clips": view.clips,
            "over_folds": {**asdict(view.over_folds), "ua_change": asdict(self.change(view))},
            "folds": [
                {
                    "name": name,
                    "clips": scores.support,
                    "ua": scores.ua,
                    "wa": scores.wa,
                    "macro_f1": scores.macro_f1,
                    "ece": scores.calibration.ece,
                    "ua_change": scores.ua - clean.ua,
                    "intervals": None if scores.intervals is None else asdict(scores.intervals),
                }
                for name, scores, clean in zip(self.fold_names, view.folds, self.original.folds, strict=True)
            ],
        }

    def to_csv(self) -> str:
        """Content of ``robustness.csv``: a row per view and fold, shares 0…1."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        for view in self.views:
            for name, scores, clean in zip(self.fold_names, view.folds, self.original.folds, strict=True):
                writer.writerow(
                    (
                        view.name,
                        view.index,
                        view.setting,
                        view.in_training,
                        self.models,
                        name or "",
                        scores.support,
                        scores.speakers,
                        scores.ua,
                        scores.wa,
                        scores.macro_f1,
                        scores.calibration.ece,
                        scores.ua - clean.ua,
                    )
                )
        return text.getvalue()


def setting_of(views: Sequence[ViewSpec], index: int) -> str:
    """Parameter of view ``index`` of a store with augmented ``views``: ``snr_db 10 to 30``."""
    if index == 0:
        return ""
    values = views[index - 1].model_dump(exclude={"kind", "name"})
    return ", ".join(f"{name} {_bounds(value)}" for name, value in values.items())


def _bounds(value: object) -> str:
    return " to ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"
