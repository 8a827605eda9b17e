"""The claim of a run or series, read from its split and recipe: older results do not hold their own."""

from __future__ import annotations

from training.runs.run import RunFolder
from training.runs.series import SeriesFolder
from training.splits.claim import Claim, claim_of_folds
from training.splits.split import Split


def claim_of_run(folder: RunFolder) -> Claim:
    """Claim of a run. Raises :class:`RunError` if ``run.json`` or ``split.json`` cannot be read."""
    split = Split.from_json(folder.read_json("split.json"))
    record = folder.record()
    return split.claim.with_inputs([record.recipe.input]).with_search([record.configurations])


def claim_of_series(folder: SeriesFolder) -> Claim:
    """Claim of all folds of a series. Raises :class:`RunError` if a fold's files cannot be read."""
    record = folder.record()
    folds = [claim_of_run(RunFolder.find(folder.fold(number))) for number in range(1, len(record.folds) + 1)]
    return claim_of_folds(folds, record.recipe.split.shorthand)
