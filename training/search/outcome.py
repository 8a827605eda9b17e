"""What a trial comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.report.search.result import TrialState

Steps = Mapping[int, float]
"""Mean UA so far, 0…1, by step: an epoch of an inner fold, or the end of one."""

FOLD_STEPS = 1_000_000
"""Steps per inner fold. Epoch e of inner fold i, both from 0, is step i · FOLD_STEPS + e; the end of the fold
is its last step."""


def step_of_epoch(fold: int, epoch: int) -> int:
    """Step of an epoch of an inner fold, both from 0."""
    return fold * FOLD_STEPS + min(epoch, FOLD_STEPS - 2)


def step_of_end(fold: int) -> int:
    """Step of the end of an inner fold, from 0."""
    return (fold + 1) * FOLD_STEPS - 1


@dataclass(frozen=True)
class TrialOutcome:
    """Result of one configuration. ``fold_ua`` : UA of the inner folds that were finished, in order."""

    state: TrialState
    fold_ua: tuple[float, ...]
    epochs: tuple[int, ...]
    """Best epoch of each finished inner fold; empty for models without epochs."""
    steps: Steps
    seconds: float
    problem: str = ""
    """Why the configuration failed."""

    @property
    def ua(self) -> float | None:
        """The objective: mean over the inner folds, 0…1; None if the trial is not complete."""
        return sum(self.fold_ua) / len(self.fold_ua) if self.state == "complete" else None
