"""What a search has tried and found, fold by fold. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from training.splits.claim import Claim

TrialState = Literal["complete", "pruned", "failed"]
"""``pruned``: stopped, because it was worse than the median; ``failed``: it cannot be trained."""


@dataclass(frozen=True)
class TrialRow:
    """A trial that has ended."""

    number: int
    """From 1, in the order in which trials were started."""
    state: TrialState
    changes: tuple[str, ...]
    """Its configuration, as ``--set`` takes it."""
    ua: float | None
    """Mean UA over the inner folds, 0…1; None if it is not complete."""
    fold_ua: tuple[float, ...]
    """UA of the finished inner folds."""
    epochs: tuple[int, ...]
    """Best epoch of the finished inner folds; empty for models without epochs."""
    seconds: float
    problem: str
    """Why the configuration failed; empty if it did not."""
    repeats: int | None
    """Number of the earlier trial with the same configuration, whose outcome it has."""


@dataclass(frozen=True)
class SearchedFold:
    """The search of one fold of the protocol, and the test of its best configuration."""

    name: str
    run: str
    """Name of the run folder."""
    trials: tuple[TrialRow, ...]
    importance: Mapping[str, float] | None
    """Share of the objective's variance by field; None: too few trials."""
    test_ua: float
    """Of the best configuration, trained on training and validation clips; 0…1."""

    @property
    def best(self) -> TrialRow:
        """The complete trial with the highest objective, the first of equals."""
        return best_of(self.trials)

    @property
    def validation_ua(self) -> float:
        """Objective of the best trial, 0…1."""
        return self.best.ua or 0.0

    @property
    def configurations(self) -> int:
        """Number of different configurations."""
        return count_configurations(self.trials)

    def count(self, state: TrialState) -> int:
        """Number of trials in this state."""
        return sum(trial.state == state for trial in self.trials)


@dataclass(frozen=True)
class SearchResult:
    """A finished search."""

    claim: Claim
    subject: str
    space: str
    """Name or file of the space."""
    fields: Mapping[str, str]
    """What is tried for each field, in words."""
    inner_folds: int
    folds: tuple[SearchedFold, ...]

    @property
    def validation_ua(self) -> float:
        """Mean over the folds of the protocol, 0…1."""
        return sum(fold.validation_ua for fold in self.folds) / len(self.folds)

    @property
    def test_ua(self) -> float:
        """Mean over the folds of the protocol, 0…1."""
        return sum(fold.test_ua for fold in self.folds) / len(self.folds)

    @property
    def trials(self) -> int:
        """Number of trials of all folds."""
        return sum(len(fold.trials) for fold in self.folds)

    @property
    def configurations(self) -> int:
        """Number of configurations, counted in each fold."""
        return sum(fold.configurations for fold in self.folds)

    def importance(self) -> dict[str, float]:
        """Mean share by field over the folds that have shares, largest first."""
        found = [fold.importance for fold in self.folds if fold.importance]
        names = list(dict.fromkeys(name for shares in found for name in shares))
        means = {name: sum(shares.get(name, 0.0) for shares in found) / len(found) for name in names}
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``search-result.json``."""
        return {
            "title": self.claim.title,
            "claim": self.claim.to_json(),
            "subject": self.subject,
            "space": self.space,
            "fields": dict(self.fields),
            "inner_folds": self.inner_folds,
            "trials": self.trials,
            "configurations": self.configurations,
            "validation_ua": self.validation_ua,
            "test_ua": self.test_ua,
            "importance": self.importance(),
            "importance_method": "fANOVA",
            "folds": [
                {
                    "name": fold.name,
                    "run": fold.run,
                    "configurations": fold.configurations,
                    "complete": fold.count("complete"),
                    "pruned": fold.count("pruned"),
                    "failed": fold.count("failed"),
                    "best": asdict(fold.best),
                    "validation_ua": fold.validation_ua,
                    "test_ua": fold.test_ua,
                    "importance": None if fold.importance is None else dict(fold.importance),
                    "trials": [asdict(trial) for trial in fold.trials],
                }
                for fold in self.folds
            ],
        }


def best_of(trials: tuple[TrialRow, ...]) -> TrialRow:
    """The complete trial with the highest objective, the first of equals. Raises ValueError for none."""
    complete = [trial for trial in trials if trial.ua is not None]
    return max(complete, key=lambda trial: (trial.ua or 0.0, -trial.number))


def count_configurations(trials: tuple[TrialRow, ...]) -> int:
    """Number of different configurations."""
    return len({trial.changes for trial in trials})
