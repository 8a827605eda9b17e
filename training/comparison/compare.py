"""Compare results with a baseline from their stored test predictions; nothing is trained or predicted.

::

    A1, A2 … ─▶ stored predictions ─┐
    baseline ─▶ stored predictions ─┴─▶ same clips, labels, protocol? ─▶ differences, p ─▶ Holm ─▶ sentence

The figures are over all test clips of a result: those of a series are pooled, and each clip was tested once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.errors import UsageError
from training.comparison.names import name_folders
from training.comparison.open import open_result
from training.comparison.same_test import align, differing_conditions, require_same_test
from training.metrics.comparison import (
    EmotionAnswers,
    PairedComparison,
    compare_classifiers,
    compare_regressions,
)
from training.metrics.ensemble_weights import Weighting
from training.metrics.holm import adjust_by_holm
from training.metrics.predictions import Predictions
from training.metrics.side import AnyPredictions
from training.metrics.value_predictions import ValuePredictions
from training.report.differences.record import (
    ComparedResult,
    FoldDifferences,
    ResultComparison,
    ResultComparisons,
)
from training.report.differences.verdict import claim_sentence, judge
from training.report.summary import MeanAndDeviation
from training.report.wording import capitalise
from training.runs.hashes import notes_on_hashes
from training.runs.run import require_once


@dataclass(frozen=True)
class ComparisonRequest:
    """Which runs or series to compare with which."""

    runs: tuple[Path, ...]
    against: tuple[Path, ...]
    """The baseline; for several, the mean of their probabilities."""
    each: bool = False
    """Whether to compare every one of ``runs`` with the baseline, instead of their mean."""
    weighting: Weighting = "equal"
    """Of several averaged models."""


def compare_results(request: ComparisonRequest) -> ResultComparisons:
    """Compare ``request.runs`` with the baseline.

    Raises
    ------
    UsageError
        If a run is given twice or is on both sides, or series and runs are averaged.
    RunError
        If a result is not finished, a file has changed since it was written, or results differ in their test
        clips, views, labels or in what training shared with the test.
    """
    _require_two_sides(request)
    sides = [(path,) for path in request.runs] if request.each else [request.runs]
    names = name_folders((*request.runs, *request.against))
    baseline = open_result(request.against, names, request.weighting)
    results = [open_result(side, names, request.weighting) for side in sides]
    for side, result in zip(sides, results, strict=True):
        require_same_test(side[0], result, request.against[0], baseline)
    figures = [_compare(result, baseline) for result in results]
    p_values = [found.headline.difference.p for found in figures]
    known = [p for p in p_values if p is not None]
    adjusted = adjust_by_holm(known) if len(known) == len(p_values) else (None,) * len(p_values)
    return ResultComparisons(
        baseline,
        tuple(
            _conclude(result, baseline, found, p, len(results))
            for result, found, p in zip(results, figures, adjusted, strict=True)
        ),
        tuple(notes_on_hashes((*request.runs, *request.against))),
    )


def _require_two_sides(request: ComparisonRequest) -> None:
    require_once(request.runs)
    require_once(request.against)
    baseline = {path.resolve() for path in request.against}
    sides = (
        [{path.resolve()} for path in request.runs] if request.each else [{*map(Path.resolve, request.runs)}]
    )
    if baseline in sides:
        raise UsageError(
            f"{request.against[0]} is compared with itself; give another run or series with --against"
        )


def _compare(result: ComparedResult, baseline: ComparedResult) -> PairedComparison:
    first, second = align(result.predictions, baseline.predictions), baseline.predictions
    if isinstance(first, ValuePredictions) and isinstance(second, ValuePredictions):
        return compare_regressions(first, second)
    return compare_classifiers(_answers(first, result), _answers(second, baseline))


def _answers(predictions: AnyPredictions, result: ComparedResult) -> EmotionAnswers:
    if not isinstance(predictions, Predictions):
        raise TypeError("a regression has no classes")
    return EmotionAnswers.of(predictions, result.labels.label_set(), result.labels.target)


def _conclude(
    result: ComparedResult,
    baseline: ComparedResult,
    figures: PairedComparison,
    adjusted_p: float | None,
    comparisons: int,
) -> ResultComparison:
    both = (result.claim, baseline.claim)
    claim = replace(
        baseline.claim,
        normalised_by_speaker=any(each.normalised_by_speaker for each in both),
        normalised_by_corpus=any(each.normalised_by_corpus for each in both),
    )
    verdict = judge(figures.headline, adjusted_p, claim, comparisons=comparisons)
    names = result.name, baseline.name
    sentence = claim_sentence(verdict, figures.headline, claim, names, _task(result.predictions), comparisons)
    return ResultComparison(
        result=result,
        figures=figures,
        over_folds=_over_folds(result, baseline),
        adjusted_p=adjusted_p,
        verdict=verdict,
        sentence=sentence if len(result.members) == 1 else capitalise(sentence),
        conditions=differing_conditions(result, baseline),
    )


def _task(predictions: AnyPredictions) -> str:
    if isinstance(predictions, Predictions):
        return "recognises emotions"
    return f"predicts the {_join(predictions.names)}"


def _join(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _over_folds(result: ComparedResult, baseline: ComparedResult) -> FoldDifferences | None:
    """None unless both are series whose folds test the same clips."""
    if not result.folds or [fold.clips for fold in result.folds] != [fold.clips for fold in baseline.folds]:
        return None
    first = [fold.figure for fold in result.folds]
    second = [fold.figure for fold in baseline.folds]
    differences = [one - two for one, two in zip(first, second, strict=True)]
    return FoldDifferences(
        MeanAndDeviation.of(first),
        MeanAndDeviation.of(second),
        MeanAndDeviation.of(differences),
        len(differences),
        sum(each > 0 for each in differences),
    )
