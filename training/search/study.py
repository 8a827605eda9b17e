"""The trials of one fold: asked of Optuna's TPE sampler, told to it, and written to a SQLite file.

The study that is asked is in memory. A trial is added to the file once, as a whole, when it has ended: a
killed search loses only the trials in progress, and no trial is in the file twice or half. Only one process
opens the file.

The sampler of each trial is seeded by the search's seed, the fold and the trial's number. One trial after the
other, a search gives the same trials, whether or not it was stopped in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import RunError, StorageError
from schemas.search_space import SearchField, SearchSpace, written
from training.report.search.result import TrialRow, TrialState
from training.search.optuna_library import load_optuna
from training.search.outcome import Steps, TrialOutcome
from training.splits.draw import generator

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial, Trial

Value = str | int | float
"""As Optuna keeps it: a number of a range, or a choice as ``--set`` takes it."""


@dataclass(frozen=True)
class Asked:
    """A configuration to try."""

    number: int
    values: Mapping[str, Value]

    @property
    def changes(self) -> tuple[str, ...]:
        """Changes of the recipe, as ``--set`` takes them."""
        return changes_of(self.values)


def changes_of(values: Mapping[str, Value]) -> tuple[str, ...]:
    """Changes of the recipe, as ``--set`` takes them."""
    return tuple(
        f"{name}={value if isinstance(value, str) else written(value)}" for name, value in values.items()
    )


class Study:
    """Trials of fold ``fold`` in the file ``path``, which is created if it is missing."""

    def __init__(self, path: Path, fold: int, space: SearchSpace, seed: int) -> None:
        """Read the trials that have ended. Raises :class:`RunError` if the file is damaged."""
        self._optuna = load_optuna()
        self._path, self._fold, self._space, self._seed = path, fold, space, seed
        with _sqlite_errors(path):
            self._file = _open_file(path, f"fold-{fold}")
            ended = self._file.get_trials(deepcopy=False)
        self._memory: OptunaStudy = self._optuna.create_study(direction="maximize")
        self._memory.add_trials(ended)
        self._running: dict[int, Trial] = {}

    @property
    def ended(self) -> tuple[TrialRow, ...]:
        """Trials that have ended, in the order in which they were asked for."""
        trials = [trial for trial in self._memory.get_trials(deepcopy=False) if trial.state.is_finished()]
        return tuple(_row_of(trial) for trial in sorted(trials, key=lambda each: each.user_attrs["number"]))

    @property
    def earlier(self) -> tuple[Steps, ...]:
        """Steps of the complete trials, from which the median is taken."""
        complete = (self._optuna.trial.TrialState.COMPLETE,)
        return tuple(t.intermediate_values for t in self._memory.get_trials(deepcopy=False, states=complete))

    def next_number(self) -> int:
        """The lowest number, from 1, that no trial has."""
        used = {row.number for row in self.ended} | {*self._running}
        return next(number for number in range(1, len(used) + 2) if number not in used)

    def ask(self) -> Asked:
        """Choose the next configuration."""
        number = self.next_number()
        seed = int(generator(self._seed, "search", self._fold, number).integers(2**31))
        self._memory.sampler = self._optuna.samplers.TPESampler(seed=seed)
        trial = self._memory.ask()
        values: dict[str, Value] = {}
        for name, field in self._space.fields.items():
            if all(str(values.get(other)) in map(written, wanted) for other, wanted in field.when.items()):
                values[name] = _suggest(trial, name, field)
        self._running[number] = trial
        return Asked(number, values)

    def tell_repeat(self, asked: Asked) -> TrialRow | None:
        """Add the trial with the outcome of an earlier one of the same configuration; None: there is none."""
        for trial in self._memory.get_trials(deepcopy=False):
            if trial.state.is_finished() and tuple(trial.user_attrs["changes"]) == asked.changes:
                row = _row_of(trial)
                outcome = TrialOutcome(
                    row.state, row.fold_ua, row.epochs, trial.intermediate_values, 0.0, row.problem
                )
                return self.tell(asked, outcome, repeats=row.repeats or row.number)
        return None

    def tell(self, asked: Asked, outcome: TrialOutcome, repeats: int | None = None) -> TrialRow:
        """Add a trial that has ended; ``repeats``: number of the earlier trial with its configuration."""
        trial = self._running.pop(asked.number)
        states = self._optuna.trial.TrialState
        for step, ua in outcome.steps.items():
            trial.report(ua, step)
        for name, value in _attributes(asked, outcome, repeats).items():
            trial.set_user_attr(name, value)
        state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[outcome.state]
        told = self._memory.tell(trial, outcome.ua, state=state)
        with _sqlite_errors(self._path):
            self._file.add_trial(told)
        return _row_of(told)

    def importance(self) -> dict[str, float] | None:
        """Each field's share of what the fields explain one by one, by fANOVA; None: too few trials.

        Of the variance of the objective (Hutter et al. 2014); the shares sum to 1. Fields that only some
        configurations have are left out.
        """
        complete = [row for row in self.ended if row.state == "complete"]
        if len(complete) < 4 or len({row.ua for row in complete}) < 2:
            return None
        evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = self._optuna.importance.get_param_importances(self._memory, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()} or None


def _suggest(trial: Trial, name: str, field: SearchField) -> Value:
    if field.choices is not None:
        choice: str = trial.suggest_categorical(name, field.texts)
        return choice
    low, high, step = field.low, field.high, field.step
    if low is None or high is None:
        raise AssertionError("a field has choices or a range")
    if field.is_whole:
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=field.log)
    return trial.suggest_float(name, low, high, step=step, log=field.log)


def _attributes(asked: Asked, outcome: TrialOutcome, repeats: int | None) -> dict[str, Any]:
    return {
        "number": asked.number,
        "changes": list(asked.changes),
        "fold_ua": list(outcome.fold_ua),
        "epochs": list(outcome.epochs),
        "seconds": outcome.seconds,
        "problem": outcome.problem,
        "repeats": repeats,
    }


_STATES: Mapping[str, TrialState] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def _row_of(trial: FrozenTrial) -> TrialRow:
    """A trial that has ended, as reports show it."""
    kept = trial.user_attrs
    return TrialRow(
        number=kept["number"],
        state=_STATES[trial.state.name],
        changes=tuple(kept["changes"]),
        ua=trial.value if trial.state.name == "COMPLETE" else None,
        fold_ua=tuple(kept["fold_ua"]),
        epochs=tuple(kept["epochs"]),
        seconds=kept["seconds"],
        problem=kept["problem"],
        repeats=kept["repeats"],
    )


def _open_file(path: Path, name: str) -> OptunaStudy:
    optuna = load_optuna()
    from sqlalchemy import URL

    url = URL.create("sqlite", database=str(path)).render_as_string()
    storage = optuna.storages.RDBStorage(url)
    study: OptunaStudy = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    return study


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file with the trials into sentences."""
    load_optuna()
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

    try:
        yield
    except (OperationalError, StorageInternalError) as error:
        raise StorageError(
            f"cannot write {path} ({_reason(error)}); make room or change its permissions, and run the same "
            f"command again"
        ) from error
    except (DatabaseError, SQLAlchemyError, KeyError, RuntimeError) as error:
        raise RunError(f"{path} is damaged ({_reason(error)}); start a new search") from error


def _reason(error: BaseException) -> str:
    """First line of the innermost error."""
    inner = error.__cause__ or error
    return str(inner).strip().split("\n")[0]
