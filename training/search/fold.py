"""The search of one fold of a protocol, and the test of its best configuration."""

from __future__ import annotations

import math
import shutil

import numpy as np

from schemas.architecture import LinearSpec
from schemas.errors import RunError
from schemas.messages.counts import format_count
from schemas.model import canonical_digest
from schemas.overrides import override
from training.loop.network import write_held_out
from training.plan.make import plan
from training.plan.plan import Plan
from training.report.search.result import SearchedFold, TrialRow, best_of, count_configurations
from training.report.series_explanation import is_complete
from training.report.wording import percent
from training.runs.observer import Observer
from training.runs.request import Searched, TrainRequest
from training.runs.run import RunFolder, SearchSummary
from training.search.bench import Bench, BenchRequest
from training.search.folder import SearchFolder
from training.search.inner import held_out_by, inner_folds
from training.search.runner import Runner
from training.search.study import Study
from training.search.trial import judge_all
from training.train import train


class FoldSearch:
    """Fold ``number``, from 1, of the search in ``folder``; ``request`` has the store and the hardware."""

    def __init__(self, folder: SearchFolder, number: int, request: TrainRequest, observer: Observer) -> None:
        """Plan the fold. Raises what planning raises, and :class:`RunError` if its split has changed."""
        self._folder, self._number, self._observer = folder, number, observer
        self._series, self._record = folder.series.record(), folder.record()
        several = len(self._series.folds) > 1
        self._request = TrainRequest(
            store=request.store or self._series.store,
            recipe=self._series.recipe,
            recipe_source=self._series.recipe_source,
            fold=number if several else self._record.fold,
            seed=self._series.seed,
            output=folder.path,
            name=folder.series.fold(number).name,
            hardware=request.hardware,
            explain=request.explain,
        )
        self.name = self._series.folds[number - 1]
        self._label = f"fold {number} of {len(self._series.folds)}" if several else "search"
        planned = plan(self._request)
        if canonical_digest(planned.split.to_json()) != self._record.splits[number - 1]:
            raise RunError(
                f"{folder.path} was started on another split than {self.name} has now; start a new search"
            )
        for sentence in planned.notices:
            observer.notice(sentence)
        self._bench = self._bench_request(planned)
        self._validation = planned.samples["validation"].clips
        self._split, self._clips = planned.split, planned.store.manifest.iloc[planned.known_clips]
        self._study = Study(folder.trials, number, self._record.space, self._series.seed)

    @property
    def inner_folds(self) -> int:
        """Number of inner folds: fewer than requested if there are fewer speakers."""
        return len(self._bench.inner)

    def _bench_request(self, planned: Plan) -> BenchRequest:
        """What trials need: nothing of it names a test clip."""
        inner = inner_folds(
            planned.split,
            planned.store.manifest,
            planned.targets,
            self._record.inner_folds,
            self._series.seed,
        )
        return BenchRequest(str(self._request.store), planned.record, inner, self._request.hardware)

    def run_trials(self, runner: Runner) -> None:
        """Run the trials that are missing. Raises :class:`RunError` if every configuration fails."""
        done, wanted = len(self._study.ended), self._record.trials
        if done:
            self._observer.notice(f"{self._label}: {format_count(done, 'trial')} of {wanted} found")
        runner.run(self._study, self._bench, wanted, self._report)
        trials = self._study.ended
        if all(trial.ua is None for trial in trials):
            problem = next((trial.problem for trial in trials if trial.problem), "all were pruned")
            raise RunError(
                f"none of {format_count(len(trials), 'trial')} could be completed ({problem}); change the "
                f"space"
            )

    def _report(self, row: TrialRow) -> None:
        best = max((trial.ua for trial in self._study.ended if trial.ua is not None), default=None)
        found = row.state if row.ua is None else f"UA {percent(row.ua)}"
        known = "" if best is None else f", best {percent(best)}"
        self._observer.notice(f"{self._label}, trial {row.number} of {self._record.trials}: {found}{known}")

    def test(self) -> SearchedFold:
        """Train the best configuration on training and validation clips and test it, unless that is done.

        With ``explain``, a tested model that was not explained is explained, too.
        """
        trials = self._study.ended
        best = best_of(trials)
        path = self._folder.series.fold(self._number)
        series = self._folder.series
        if not is_complete(series, self._number, explain=self._request.explain):
            if not series.is_finished(self._number):
                self._observer.notice(f"{self._label}: trains the best configuration, trial {best.number}")
            train(self._final_request(best), self._observer)
        metrics = RunFolder.open(path).read_json("metrics.json")
        return SearchedFold(
            name=self.name,
            run=path.name,
            trials=trials,
            importance=self._study.importance(),
            test_ua=float(metrics["test"]["emotion"]["ua"]),
        )

    def _final_request(self, best: TrialRow) -> TrainRequest:
        """The request that starts or resumes the training of the best configuration."""
        path = self._folder.series.fold(self._number)
        if (path / "run.json").is_file():
            return TrainRequest(
                store=self._request.store,
                resume=path,
                hardware=self._request.hardware,
                explain=self._request.explain,
            )
        shutil.rmtree(path, ignore_errors=True)  # the remains of a killed start
        recipe = override(self._series.recipe, best.changes)
        held_out = None
        if not isinstance(recipe.model, LinearSpec):
            held_out = self._folder.held_out(self._number)
            rows, probabilities = judge_all(Bench(self._bench), best.changes)
            order = np.argsort(rows)
            at = order[np.searchsorted(rows, self._validation, sorter=order)]
            write_held_out(held_out, probabilities[at])
        summary = SearchSummary(
            trials=len(self._study.ended),
            configurations=count_configurations(self._study.ended),
            inner_folds=self.inner_folds,
            validation_ua=best.ua or 0.0,
            held_out_by=held_out_by(
                # A linear model is cross-validated over units again, whatever the inner folds are.
                None if held_out is None else self._split,
                self._clips,
                self._record.inner_folds,
            ),
        )
        return TrainRequest(
            store=self._request.store,
            recipe=self._series.recipe,
            recipe_source=self._series.recipe_source,
            changes=(*best.changes, *_epochs_of(best, recipe.train.warmup)),
            fold=self._request.fold,
            seed=self._series.seed,
            output=self._folder.path,
            name=path.name,
            searched=Searched(summary, held_out),
            hardware=self._request.hardware,
            explain=self._request.explain,
        )


def _epochs_of(best: TrialRow, warmup: float) -> tuple[str, ...]:
    """Changes that train for as many epochs as were best in the inner folds: no clip is left to decide."""
    if not best.epochs:
        return ()
    epochs = max(1, round(sum(best.epochs) / len(best.epochs)), math.floor(warmup) + 1)
    return (f"train.epochs={epochs}", "train.monitor=last", "train.patience=null")
