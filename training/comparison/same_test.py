"""Whether two results can be compared: the same test clips, views and labels, and the same kind of split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from schemas.errors import RunError
from schemas.messages.counts import format_count
from training.metrics.predictions import Predictions
from training.metrics.side import AnyPredictions
from training.metrics.value_predictions import ValuePredictions
from training.report.differences.record import ComparedResult

_SPLIT = "train both with the same --protocol and --seed, or with one --split"


def require_same_test(path: Path, result: ComparedResult, base: Path, baseline: ComparedResult) -> None:
    """Raise :class:`RunError` if the results, of the folders ``path`` and ``base``, cannot be compared."""
    _require_same_labels(path, result, base, baseline)
    _require_same_clips(path, result.predictions, base, baseline.predictions)
    one, two = result.claim, baseline.claim
    if one.independence != two.independence:
        raise RunError(
            f"{path} is {one.independence}, but {base} is {two.independence}, so their difference would be "
            f"that of the protocols; {_SPLIT}"
        )
    _require_same_truth(path, align(result.predictions, baseline.predictions), base, baseline)


def align(found: AnyPredictions, wanted: AnyPredictions) -> AnyPredictions:
    """``found`` in the order of the clips of ``wanted``, which are the same."""
    row_of = {clip: row for row, clip in enumerate(found.heard)}
    rows = np.array([row_of[clip] for clip in wanted.heard], dtype=np.int64)

    def take(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(texts[row] for row in rows)

    if isinstance(found, Predictions):
        return replace(
            found,
            clip_id=take(found.clip_id),
            view=found.view[rows],
            dataset=take(found.dataset),
            speaker=take(found.speaker),
            gender=take(found.gender),
            true=found.true[rows],
            probabilities=found.probabilities[rows],
        )
    return replace(
        found,
        clip_id=take(found.clip_id),
        view=found.view[rows],
        dataset=take(found.dataset),
        speaker=take(found.speaker),
        gender=take(found.gender),
        true=found.true[rows],
        predicted=found.predicted[rows],
    )


def differing_conditions(result: ComparedResult, baseline: ComparedResult) -> tuple[str, ...]:
    """Sentences on what differs apart from the models, and must be read with a difference."""
    one, two = result.claim, baseline.claim
    found = []
    if one.title != two.title:
        found.append(f"The results have different titles: {one.title} (A), {two.title} (B).")
    if one.trained_on != two.trained_on:
        found.append(
            f"The training corpora differ: {', '.join(one.trained_on)} (A), {', '.join(two.trained_on)} (B)."
        )
    return tuple(found)


def _require_same_labels(path: Path, result: ComparedResult, base: Path, baseline: ComparedResult) -> None:
    one, two = result.labels, baseline.labels
    if one.is_regression != two.is_regression:
        kinds = {True: "values of dimensions", False: "emotions"}
        raise RunError(
            f"{path} predicts {kinds[one.is_regression]}, but {base} predicts {kinds[two.is_regression]}; "
            "compare results that predict the same"
        )
    first, second = result.predictions, baseline.predictions
    if isinstance(first, ValuePredictions) and isinstance(second, ValuePredictions):
        if first.names != second.names:
            raise RunError(
                f"{path} predicts {', '.join(first.names)}, but {base} predicts {', '.join(second.names)}; "
                "compare results with the same labels.dimensions"
            )
    elif not one.label_set().agrees_with(two.label_set()):
        raise RunError(
            f"{path} predicts the emotions of {one.described}, but {base} those of {two.described}; compare "
            "results with the same label set"
        )


def _require_same_clips(path: Path, result: AnyPredictions, base: Path, baseline: AnyPredictions) -> None:
    one, two = {*result.clip_id}, {*baseline.clip_id}
    if differing := sorted(one ^ two):
        where = path if differing[0] in one else base
        alone = f"{len(differing):,} of {format_count(len(one | two), 'clip')}"
        raise RunError(
            f"{path} and {base} were tested on different clips: {alone} were tested in only one of them, "
            f"such as {differing[0]} in {where}; {_SPLIT}"
        )
    if {*result.heard} != {*baseline.heard}:
        clip, view = min({*result.heard} ^ {*baseline.heard})
        raise RunError(
            f"{path} and {base} were tested on different views: only one of them was tested on view {view} "
            f"of {clip}; {_SPLIT}"
        )


def _require_same_truth(path: Path, aligned: AnyPredictions, base: Path, baseline: ComparedResult) -> None:
    """``aligned`` : predictions of ``path`` in the order of those of the baseline."""
    wanted = baseline.predictions
    if isinstance(aligned, ValuePredictions) and isinstance(wanted, ValuePredictions):
        differ = (aligned.true != wanted.true).any(axis=1)
        what = "values"
    elif isinstance(aligned, Predictions) and isinstance(wanted, Predictions):
        emotions = len(baseline.labels.label_set().classes)
        differ = aligned.true % emotions != wanted.true % emotions
        what = "labels"
    else:
        raise TypeError("a regression has no classes")
    differ = np.asarray(differ) | (np.array(aligned.speaker) != np.array(wanted.speaker))
    if differ.any():
        raise RunError(
            f"{path} and {base} have different {what} or speakers for "
            f"{format_count(int(differ.sum()), 'clip')}, such as {wanted.clip_id[int(differ.argmax())]}; "
            "train both on the same store"
        )
