"""Open a run, a series, or several as their mean, with the test predictions that they stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from schemas.errors import RunError, UsageError
from training.metrics.comparison import EmotionAnswers
from training.metrics.ensemble_weights import EnsembleWeights, Weighting, weigh_by_validation
from training.metrics.predictions import Predictions
from training.metrics.side import AnyPredictions
from training.metrics.value_predictions import ValuePredictions
from training.report.differences.record import ComparedFold, ComparedResult, Member
from training.report.result import subject_of
from training.report.series_summary import dimension_folds, fold_results, require_alike, require_single
from training.report.tested import corpora_heard
from training.runs.hashes import is_listed, read_hashes
from training.runs.recorded_claim import claim_of_run, claim_of_series
from training.runs.request import resume_command
from training.runs.run import RunFolder, RunRecord
from training.runs.same_labels import require_same_labels
from training.runs.series import SeriesFolder, SeriesRecord

PREDICTIONS = "predictions.csv"


def open_result(paths: Sequence[Path], names: Mapping[Path, str], weighting: Weighting) -> ComparedResult:
    """The result of ``paths``, at least one; of several, the mean of their probabilities.

    ``names`` of all paths. Every file is compared with its hash. Raises :class:`UsageError` if series are
    mixed with runs and :class:`RunError` if a result is unfinished or damaged, or if they cannot be averaged.
    """
    series = [SeriesFolder.is_one(path) for path in paths]
    if any(series) and not all(series):
        single = paths[series.index(False)]
        raise UsageError(
            f"{single} is not a series of folds, but others are; give either series or runs, not both"
        )
    return _open_series(paths, names, weighting) if all(series) else _open_runs(paths, names, weighting)


def _open_runs(paths: Sequence[Path], names: Mapping[Path, str], weighting: Weighting) -> ComparedResult:
    folders = [RunFolder.open(path) for path in paths]
    for folder in folders:
        if not ((folder.path / "metrics.json").is_file() and is_listed(folder.path, "metrics.json")):
            raise RunError(
                f"the run {folder.path} is not finished; resume with: {resume_command(folder.path, None)}"
            )
    records = [folder.record() for folder in folders]
    labels = records[0].recipe.labels
    require_single(paths, labels)
    require_same_labels(paths, records)
    claims = [claim_of_run(folder) for folder in folders]
    claim = (
        claims[0]
        .with_inputs([record.recipe.input for record in records])
        .with_search([each.configurations for each in claims])
    )
    predictions: AnyPredictions
    weights: EnsembleWeights | None = None
    if labels.is_regression:
        predictions = ValuePredictions.read(paths[0] / PREDICTIONS)
    else:
        predictions, weights = _average(paths, weighting)
    return ComparedResult(
        name=_name(paths, names),
        subject=subject_of(
            [record.recipe.model.name for record in records], corpora_heard(records), _mean_of(weighting)
        ),
        claim=claim,
        labels=labels,
        predictions=predictions,
        members=tuple(
            _member(path, names, "run", record) for path, record in zip(paths, records, strict=True)
        ),
        weights=() if weights is None else (weights,),
    )


def _average(paths: Sequence[Path], weighting: Weighting) -> tuple[Predictions, EnsembleWeights | None]:
    parts = [Predictions.read(path / PREDICTIONS) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if {*part.heard} != {*parts[0].heard}:
            raise RunError(
                f"{path} and {paths[0]} were tested on different clips, so they cannot be averaged; give "
                "runs of the same split, or compare each of them with --each"
            )
    weights = weigh_by_validation(paths) if weighting == "validation" and len(paths) > 1 else None
    return Predictions.average(parts, None if weights is None else weights.shares), weights


def _open_series(paths: Sequence[Path], names: Mapping[Path, str], weighting: Weighting) -> ComparedResult:
    series = [SeriesFolder.open(path) for path in paths]
    records = require_alike(series)
    first, labels = records[0], records[0].recipe.labels
    require_single(paths, labels)
    folds: list[ComparedFold]
    predictions: AnyPredictions
    weights: tuple[EnsembleWeights, ...] = ()
    if labels.is_regression:
        values = dimension_folds(series[0], first)
        predictions = ValuePredictions.join([fold.predictions for fold in values])
        folds = [
            ComparedFold(each.name, frozenset(each.predictions.heard), each.evaluation.ccc) for each in values
        ]
    else:
        results = fold_results(series, first, weighting if len(series) > 1 else "equal")
        predictions = Predictions.join([fold.predictions for fold in results])
        weights = tuple(each.weights for each in results if each.weights is not None)
        folds = [
            ComparedFold(
                each.name,
                frozenset(each.predictions.heard),
                EmotionAnswers.of(each.predictions, labels.label_set(), labels.target).ua,
            )
            for each in results
        ]
    return ComparedResult(
        name=_name(paths, names),
        subject=subject_of(
            [record.recipe.model.name for record in records],
            sorted({*map(str, np.unique(predictions.dataset))}),
            _mean_of(weighting),
        ),
        claim=claim_of_series(series[0])
        .with_inputs([record.recipe.input for record in records])
        .with_search([claim_of_series(folder).configurations for folder in series]),
        labels=labels,
        predictions=predictions,
        members=tuple(
            _member(path, names, "series", record) for path, record in zip(paths, records, strict=True)
        ),
        folds=tuple(folds),
        weights=weights,
    )


def _member(
    path: Path, names: Mapping[Path, str], kind: Literal["run", "series"], record: RunRecord | SeriesRecord
) -> Member:
    listed = (read_hashes(path) or {}).get(PREDICTIONS)
    return Member(
        names[path], kind, record.seed, record.store_digest, None if listed is None else listed.sha256
    )


def _name(paths: Sequence[Path], names: Mapping[Path, str]) -> str:
    *others, last = (names[path] for path in paths)
    return f"the mean of {', '.join(others)} and {last}" if others else last


def _mean_of(weighting: Weighting) -> Literal["mean", "weighted mean"]:
    return "mean" if weighting == "equal" else "weighted mean"
