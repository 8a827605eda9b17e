"""What tested models listen to: importance of each part of their input, on their test clips.

::

    runs    ──▶ test clips, each part permuted ─┐
    series  ──▶ fold by fold, pooled           ─┴─▶ points of UA that each part is worth
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.device import choose_device
from schemas.architecture import LinearSpec
from schemas.errors import UsageError
from training.evaluate import EvaluationRequest, Trial, prepare
from training.explain.importance import require_classes
from training.explain.measure import explain
from training.linear.load import load_classifier
from training.metrics.bootstrap import Interval, speaker_intervals
from training.metrics.importance import PermutationCounts
from training.report.explained import Explained
from training.report.explanation import Explanation
from training.report.result import subject_of
from training.report.series_summary import require_alike
from training.report.tested import corpora_heard
from training.runs.recorded_claim import claim_of_series
from training.runs.series import SeriesFolder
from training.splits.claim import Claim


def explain_runs(request: EvaluationRequest) -> Explained:
    """Explain the mean of ``request.runs`` on the clips that they would be tested on.

    Raises what :func:`training.evaluate.prepare` does, and :class:`UsageError` for a regression.
    """
    trial = prepare(request)
    return _explained([trial], _measure(trial), trial.claim, request, folds=())


def explain_series(paths: Sequence[Path], request: EvaluationRequest) -> Explained:
    """As :func:`explain_runs`, for the mean of series: each fold on its own test side, all clips pooled.

    Also raises :class:`RunError` if a fold is not finished or the series differ in protocol, folds or labels.
    """
    series = [SeriesFolder.open(path) for path in paths]
    records = require_alike(series)
    trials, counts = [], []
    for number in range(1, len(records[0].folds) + 1):
        trial = prepare(replace(request, runs=tuple(folder.fold(number) for folder in series)))
        trials.append(trial)
        counts.append(_measure(trial).counts)
    claim = (
        claim_of_series(series[0])
        .with_inputs([record.recipe.input for record in records])
        .with_search([claim_of_series(folder).configurations for folder in series])
    )
    found = Explanation(PermutationCounts.pool(counts))
    result = _explained(trials, found, claim, request, folds=records[0].folds)
    return replace(result, members=tuple(path.name for path in paths))


def _measure(trial: Trial) -> Explanation:
    for model in trial.models:
        require_classes(model)
        if isinstance(model.record.recipe.model, LinearSpec):
            load_classifier(model.folder)  # raises for a run that is not finished
    if trial.draws_views:
        raise UsageError(
            f"the split of {trial.runs[0]} puts views of one recording on several sides, so training has "
            "heard views of its test clips; --explain needs a run without --leak-views"
        )
    device = choose_device(trial.hardware.device or "auto")
    shares = [1.0] * len(trial.models) if trial.weights is None else trial.weights.shares
    return explain(trial.models, shares, trial.store, trial.samples, device, trial.hardware)


def _explained(
    trials: Sequence[Trial],
    found: Explanation,
    claim: Claim,
    request: EvaluationRequest,
    folds: tuple[str, ...],
) -> Explained:
    first = trials[0]
    return Explained(
        claim=claim,
        subject=subject_of(
            [record.recipe.model.name for record in first.records],
            corpora_heard([record for trial in trials for record in trial.records]),
            "mean" if request.weighting == "equal" else "weighted mean",
        ),
        ua=_bounds(found),
        explanation=found,
        folds=folds,
        members=tuple(path.name for path in first.runs),
        store_digest=first.store.digest,
        notices=tuple(dict.fromkeys(notice for trial in trials for notice in trial.notices)),
    )


def _bounds(found: Explanation) -> Interval | None:
    intervals = speaker_intervals(found.counts.unchanged)
    return None if intervals is None else intervals.ua
