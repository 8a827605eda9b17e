"""Test trained models on the stored views of their test clips: how far they fall under noise, pitch, speed.

::

    runs    ──▶ test clips × views ─┐
    series  ──▶ fold by fold        ┴─▶ UA by view, beside that of the originals

Training never read these copies: validation and test use originals only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from schemas.errors import UsageError
from training.evaluate import EvaluationRequest, Trial, prepare
from training.metrics.predictions import Predictions
from training.metrics.scores import Evaluation, Scores
from training.metrics.side import AnyEvaluation, AnyPredictions
from training.report.result import subject_of
from training.report.robustness import Robustness, ViewScores, setting_of
from training.report.series_summary import require_alike
from training.report.tested import corpora_heard
from training.runs.recorded_claim import claim_of_series
from training.runs.run import RunRecord
from training.runs.same_store import open_same_store
from training.runs.series import SeriesFolder
from training.samples.samples import Samples
from training.samples.view_choice import choose_views
from training.splits.claim import Claim


def measure_runs(request: EvaluationRequest, views: str) -> Robustness:
    """Test the mean of ``request.runs`` on the views of the test clips that ``views`` chooses.

    ``views`` : as for :func:`training.samples.view_choice.choose_views`. Raises what
    :func:`training.evaluate.prepare` does; :class:`UsageError` if the split puts views of one clip on several
    sides, so that training has heard them.
    """
    trial = prepare(request)
    return _measure([(None, trial)], views, request, trial.claim)


def measure_series(paths: Sequence[Path], request: EvaluationRequest, views: str) -> Robustness:
    """As :func:`measure_runs`, for the mean of series: each fold on its own test side.

    Also raises :class:`RunError` if a fold is not finished or the series differ in protocol, folds or labels,
    and :class:`UsageError` if they were trained on different stores.
    """
    series = [SeriesFolder.open(path) for path in paths]
    records = require_alike(series)
    first = records[0]
    for path, record in zip(paths, records, strict=True):
        if record.store_digest != first.store_digest:
            raise UsageError(
                f"{path} and {paths[0]} were trained on different stores, but --views tests all on one; give "
                "series of one store, or leave out --views"
            )
    open_same_store(paths[0], request.store, first.store, first.store_digest)
    claim = (
        claim_of_series(series[0])
        .with_inputs([record.recipe.input for record in records])
        .with_search([claim_of_series(folder).configurations for folder in series])
    )
    folds = (
        (name, prepare(replace(request, runs=tuple(folder.fold(number) for folder in series))))
        for number, name in enumerate(first.folds, 1)
    )
    members = tuple(path.name for path in paths)
    return replace(_measure(folds, views, request, claim), members=members)


def _measure(
    folds: Iterable[tuple[str | None, Trial]], text: str, request: EvaluationRequest, claim: Claim
) -> Robustness:
    """Test each fold's models, one fold after the other, so that only one is in memory."""
    names: list[str | None] = []
    trials: list[Trial] = []
    scores: list[list[Scores]] = []
    predictions: list[Predictions] = []
    views: tuple[int, ...] = ()
    for name, trial in folds:
        if trial.records[0].dimensions:
            raise UsageError(
                f"{trial.runs[0]} predicts values (labels.target regression), but --views compares UA; leave "
                "out --views"
            )
        if trial.draws_views:
            raise UsageError(
                f"the split of {trial.runs[0]} puts views of one recording on several sides, so training has "
                "heard views of its test clips; --views needs a run without --leak-views"
            )
        _require_all_views(trial)
        views = choose_views(text, trial.store.spec.view_names)
        tested = [_classes(trial.predict(_in_view(trial.samples, view))) for view in views]
        scores.append([_emotion_scores(trial.evaluate(each)) for each in tested])
        predictions += tested
        names.append(name)
        trials.append(trial)
    first = trials[0]
    spec, mean = first.store.spec, _mean_of(request)
    return Robustness(
        claim=claim,
        subject=subject_of(
            [record.recipe.model.name for record in first.records],
            corpora_heard([record for trial in trials for record in trial.records]),
            mean,
        ),
        fold_names=tuple(names),
        views=tuple(
            ViewScores(
                index=view,
                name=spec.view_names[view],
                setting=setting_of(spec.views, view),
                in_training=sum(_has_heard(record, first, view) for record in first.records),
                folds=tuple(of_fold[position] for of_fold in scores),
            )
            for position, view in enumerate(views)
        ),
        models=len(first.records),
        predictions=Predictions.join(predictions),
        sentences=tuple(trial.sentences for trial in trials),
        members=tuple(path.name for path in first.runs),
        weights=tuple(trial.weights for trial in trials if trial.weights is not None),
        store_digest=first.store.digest,
        notices=tuple(dict.fromkeys(notice for trial in trials for notice in trial.notices)),
    )


def _classes(found: AnyPredictions) -> Predictions:
    if not isinstance(found, Predictions):
        raise TypeError("a regression has no classes")
    return found


def _emotion_scores(found: AnyEvaluation) -> Scores:
    if not isinstance(found, Evaluation):
        raise TypeError("a regression has no UA")
    return found.emotion


def _require_all_views(trial: Trial) -> None:
    imported = {feature.name for feature in trial.store.spec.imported}
    for path, record in zip(trial.runs, trial.records, strict=True):
        if found := sorted(imported & {*record.features}):
            raise UsageError(
                f"{path} was trained on {found[0]}, which was imported for the original view alone; leave "
                "out --views"
            )


def _in_view(samples: Samples, view: int) -> Samples:
    return replace(samples, views=np.full_like(samples.views, view))


def _has_heard(record: RunRecord, trial: Trial, view: int) -> bool:
    """Whether a model was trained on clips in this view, by whatever number its own store had it."""
    trained = record.recipe.train.views or (0,)
    if view == 0:
        return 0 in trained
    tested = trial.store.spec.views[view - 1]
    return any(record.store_spec.views[index - 1] == tested for index in trained if index > 0)


def _mean_of(request: EvaluationRequest) -> Literal["mean", "weighted mean"]:
    return "mean" if request.weighting == "equal" else "weighted mean"
