"""Summarise a series of folds, or the mean of several series over the same folds.

::

    series 1: fold-1 … fold-k ─┐
    series 2: fold-1 … fold-k ─┴─▶ mean of the probabilities, fold by fold ──▶ summary

The models averaged in a fold have the same test clips, which none of them has heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from schemas.errors import RunError
from schemas.labels_spec import LabelsSpec
from training.audits.sentences import SharedSentences
from training.audits.stored import read_audit
from training.metrics.dimensions import evaluate_values
from training.metrics.ensemble_weights import Weighting, weigh_by_validation
from training.metrics.predictions import Predictions
from training.metrics.temperature import TemperatureEffect
from training.metrics.value_predictions import ValuePredictions
from training.report.dimensions.summary import DimensionFold, DimensionSummary, summarise_dimensions
from training.report.dimensions.summary_text import dimension_summary_text
from training.report.result import subject_of
from training.report.summary import FoldResult, Summary, summarise
from training.report.summary_text import summary_text
from training.runs.hashes import require_intact
from training.runs.recorded_claim import claim_of_run, claim_of_series
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder, SeriesRecord

AnySummary = Summary | DimensionSummary
"""Summary of the folds of a classifier, or of a regression."""


def summary_of(series: Sequence[SeriesFolder], weighting: Weighting = "equal") -> AnySummary:
    """Summary of a finished series; for several, of the mean of their probabilities.

    With the ``weighting`` validation, each fold has its own weights, from the validation clips of its runs.

    Raises :class:`RunError` if a fold is not finished, a file has changed since it was written, the series
    differ in their folds, test clips or labels, or several regressions are given.
    """
    records = require_alike(series)
    first, record = series[0], records[0]
    if record.recipe.labels.is_regression:
        require_single([folder.path for folder in series], record.recipe.labels)
        return _regression_summary(first, record)
    folds = fold_results(series, record, weighting)
    claim = (
        claim_of_series(first)
        .with_inputs([each.recipe.input for each in records])
        .with_search([claim_of_series(folder).configurations for folder in series])
    )
    corpora = sorted({name for fold in folds for name in fold.predictions.dataset})
    mean: Literal["mean", "weighted mean"] = "mean" if weighting == "equal" else "weighted mean"
    subject = subject_of([each.recipe.model.name for each in records], corpora, mean)
    labels = record.recipe.labels
    members = tuple(folder.path.name for folder in series) if len(series) > 1 else ()
    return summarise(folds, labels.label_set(), labels.target, claim, subject, members)


def fold_results(
    series: Sequence[SeriesFolder], record: SeriesRecord, weighting: Weighting = "equal"
) -> list[FoldResult]:
    """Folds of finished series of classifiers with the same ``record``, averaged fold by fold.

    Raises as :func:`summary_of` does.
    """
    return [_fold(series, number, name, weighting) for number, name in enumerate(record.folds, start=1)]


def dimension_folds(series: SeriesFolder, record: SeriesRecord) -> list[DimensionFold]:
    """Folds of a finished series of regressions. Raises as :func:`summary_of` does."""
    folds = []
    for number, name in enumerate(record.folds, start=1):
        run = RunFolder.open(series.fold(number))
        predictions = ValuePredictions.read(run.path / "predictions.csv")
        folds.append(
            DimensionFold(
                name=name,
                evaluation=evaluate_values(predictions),
                predictions=predictions,
                best_epoch=run.read_json("metrics.json")["best_epoch"],
                run=run.path.name,
                sentences=_sentences([run]),
            )
        )
    return folds


def summary_text_of(summary: AnySummary) -> str:
    """Text of a summary for a terminal."""
    if isinstance(summary, DimensionSummary):
        return dimension_summary_text(summary)
    return summary_text(summary)


def require_single(runs: Sequence[Path], labels: LabelsSpec) -> None:
    """Raise :class:`RunError` for several regressions, whose values are not averaged."""
    if labels.is_regression and len(runs) > 1:
        raise RunError(
            f"{runs[0]} predicts values (labels.target regression), and only probabilities of several models "
            f"are averaged; give one run or series"
        )


def _regression_summary(series: SeriesFolder, record: SeriesRecord) -> DimensionSummary:
    folds = dimension_folds(series, record)
    corpora = sorted({name for fold in folds for name in fold.predictions.dataset})
    claim = claim_of_series(series).with_inputs([record.recipe.input])
    return summarise_dimensions(folds, claim, subject_of([record.recipe.model.name], corpora))


def require_alike(series: Sequence[SeriesFolder]) -> list[SeriesRecord]:
    """Records of finished series with the same protocol and labels. Raises as :func:`summary_of` does."""
    for folder in series:
        require_intact(folder.path)
    records = [folder.record() for folder in series]
    for folder, other in zip(series, records, strict=True):
        _require_same_protocol(series[0], records[0], folder, other)
        for number in range(1, len(other.folds) + 1):
            if not folder.is_finished(number):
                again = f"ser-train --resume {folder.path}"
                raise RunError(f"fold {number} of {folder.path} is not finished; resume with: {again}")
    return records


def _require_same_protocol(
    first: SeriesFolder, record: SeriesRecord, folder: SeriesFolder, other: SeriesRecord
) -> None:
    ours, theirs = record.recipe, other.recipe
    for what, one, two, is_same in (
        ("protocol", ours.split.shorthand, theirs.split.shorthand, None),
        ("folds", ", ".join(record.folds), ", ".join(other.folds), None),
        ("target", ours.labels.target, theirs.labels.target, None),
        (
            "label set",
            ours.labels.described,
            theirs.labels.described,
            ours.labels.agrees_with(theirs.labels),
        ),
    ):
        if not (one == two if is_same is None else is_same):
            raise RunError(
                f"{first.path} and {folder.path} cannot be averaged: they differ in their {what} "
                f"({one}; {two}); give series with the same protocol and labels"
            )


def _fold(series: Sequence[SeriesFolder], number: int, name: str, weighting: Weighting) -> FoldResult:
    """Predictions of a fold, averaged over the series."""
    runs = [RunFolder.open(folder.fold(number)) for folder in series]
    metrics = [run.read_json("metrics.json") for run in runs]
    predictions = [Predictions.read(run.path / "predictions.csv") for run in runs]
    for run, found in zip(runs, predictions, strict=True):
        if {*found.heard} != {*predictions[0].heard}:
            raise RunError(
                f"{run.path} and {runs[0].path} test different clips; train both series with the same "
                "--seed, or with a protocol that defines its folds"
            )
    paths = [run.path for run in runs]
    weights = weigh_by_validation(paths) if weighting == "validation" else None
    return FoldResult(
        name=name,
        predictions=Predictions.average(predictions, None if weights is None else weights.shares),
        best_epoch=metrics[0]["best_epoch"] if len(runs) == 1 else None,
        run=runs[0].path.name,
        sentences=_sentences(runs),
        weights=weights,
        temperature=_temperature(runs[0], metrics[0].get("temperature")) if len(runs) == 1 else None,
    )


def _temperature(run: RunFolder, values: object) -> TemperatureEffect | None:
    """That of ``metrics.json``; None for a model without one, and for a run of an older version."""
    return None if values is None else TemperatureEffect.from_json(values, str(run.path / "metrics.json"))


def _sentences(runs: Sequence[RunFolder]) -> tuple[SharedSentences, ...]:
    """What the test of a fold shares with training, by corpus; of several runs, that which heard the most."""
    shared = [read_audit(run).shared_sentences(claim_of_run(run)) for run in runs]
    return max(shared, key=lambda parts: sum(part.heard or 0 for part in parts))
