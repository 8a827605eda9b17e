"""The weights of an ensemble as text."""

from __future__ import annotations

from collections.abc import Sequence

from training.metrics.ensemble_weights import EnsembleWeights

_DIFFERENT = "the validation sides of the models differ, so only clips that are in all of them count"


def weight_note(weights: EnsembleWeights, members: Sequence[str]) -> str:
    """``Weights 0.62 (base), 0.38 (tiny), which make 240 validation clips most likely.``"""
    named = ", ".join(f"{value:.2f} ({name})" for value, name in zip(weights.shares, members, strict=True))
    differing = "" if weights.same_clips else f"; {_DIFFERENT}"
    return f"Weights {named}, which make {weights.clips:,} validation clips most likely{differing}."


def fold_weights_note(folds: Sequence[EnsembleWeights], members: Sequence[str]) -> str:
    """What the columns of :func:`weight_rows` are, and whether the validation sides differ."""
    numbered = ", ".join(f"{number} is {name}" for number, name in enumerate(members, 1))
    differing = "" if all(fold.same_clips for fold in folds) else f"; {_DIFFERENT}"
    return f"Weights make the validation clips of each fold most likely{differing}. Series {numbered}."


def weight_header(members: Sequence[str]) -> tuple[str, ...]:
    """Numbers of the series, and the validation clips."""
    return (*(str(number) for number, _ in enumerate(members, 1)), "validation clips")


def weight_rows(names: Sequence[str], folds: Sequence[EnsembleWeights]) -> list[tuple[str, ...]]:
    """Cells for the name of a fold and :func:`weight_header`."""
    return [
        (name, *(f"{value:.2f}" for value in fold.shares), f"{fold.clips:,}")
        for name, fold in zip(names, folds, strict=True)
    ]
