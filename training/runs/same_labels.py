"""Runs that are averaged have the same labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.errors import RunError
from training.runs.run import RunRecord


def require_same_labels(runs: Sequence[Path], records: Sequence[RunRecord]) -> None:
    """Raise :class:`RunError` for the first run that has other labels than the first."""
    for path, record in zip(runs[1:], records[1:], strict=True):
        labels, wanted = record.recipe.labels, records[0].recipe.labels
        if record.classes != records[0].classes or not labels.agrees_with(wanted):
            raise RunError(
                f"{path} predicts {labels.target} of {labels.described}, but {runs[0]} predicts "
                f"{wanted.target} of {wanted.described}; give runs with the same labels"
            )
