"""Decides whether a trial is stopped early, from the earlier trials alone."""

from __future__ import annotations

from collections.abc import Sequence

from training.search.optuna_library import load_optuna
from training.search.outcome import Steps

STARTUP_TRIALS = 10
"""Complete trials before any trial is pruned."""

_FEWEST_EPOCHS = 3
"""Epochs of the first inner fold in which no trial is pruned."""


class PrunedError(Exception):
    """Ends a trial that is worse than the median; never reaches a user."""


class Judge:
    """Optuna's median rule: a trial ends if its best step is below the median of the others at this step.

    ``earlier`` : steps of the complete trials. The judge keeps a study in memory, so that it works in any
    process and the file with the trials is written by only one.
    """

    def __init__(self, earlier: Sequence[Steps]) -> None:
        optuna = load_optuna()
        pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=_FEWEST_EPOCHS)
        study = optuna.create_study(direction="maximize", pruner=pruner)
        if len(earlier) >= STARTUP_TRIALS:
            study.add_trials(
                [
                    optuna.create_trial(value=steps[max(steps)], intermediate_values=dict(steps))
                    for steps in earlier
                ]
            )
        self._trial = study.ask()
        self.steps: dict[int, float] = {}

    def report(self, step: int, ua: float) -> None:
        """Record the mean UA so far. Raises :class:`PrunedError` if the trial ends here."""
        self.steps[step] = ua
        self._trial.report(ua, step)
        if self._trial.should_prune():
            raise PrunedError


class LenientJudge(Judge):
    """Prunes nothing: for the best configuration, which is fitted again for its predictions."""

    def __init__(self) -> None:
        self.steps = {}

    def report(self, step: int, ua: float) -> None:
        """Record the mean UA so far."""
        self.steps[step] = ua
