"""One trial: a configuration fitted and judged on each inner fold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from pipelines.float32_products import float32_products
from schemas.architecture import LinearSpec
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from training.linear.choice import fit_by_units
from training.linear.held_out import units_to_hold_out
from training.loader.order import Order
from training.loop.fit import Problem, fit
from training.loop.network import loss_for, new_network
from training.loop.normalise import Normaliser
from training.loop.outputs import results_of
from training.loop.validate import ClassValidation, validate_classes
from training.metrics.confusion import unweighted_average_recall
from training.report.search.result import TrialState
from training.runs.observer import AnyEpochResult, SilentObserver
from training.runs.run import RunRecord
from training.samples.samples import Samples
from training.samples.targets import emotion_marginal
from training.search.bench import Bench
from training.search.inner import InnerFold
from training.search.judge import Judge, LenientJudge, PrunedError
from training.search.linear import Values
from training.search.outcome import TrialOutcome, step_of_end, step_of_epoch
from training.splits.side import ORIGINAL_VIEW
from training.vectors.clip_vectors import vectors_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """Probabilities (clips, classes) of the clips that judge an inner fold, and the best epoch, if any."""

    probabilities: Floats
    epoch: int | None


def run_trial(bench: Bench, changes: Sequence[str], judge: Judge) -> TrialOutcome:
    """Fit and judge a configuration: ``changes`` of the recipe, as ``--set`` takes them.

    A configuration that cannot be trained, because its fields contradict each other or its loss is no longer
    finite, is a failed trial. Raises what reading a store raises.
    """
    started = time.perf_counter()
    found: list[float] = []
    epochs: list[int] = []
    state: TrialState = "complete"
    problem = ""
    try:
        record = bench.record_of(override(bench.request.record.recipe, changes))
        for number, fold in enumerate(bench.request.inner):
            judged = _judge(bench, record, fold, _Progress(judge, number, tuple(found)))
            found.append(_ua(record, judged.probabilities, bench.samples(fold.judge)))
            if judged.epoch is not None:
                epochs.append(judged.epoch)
            judge.report(step_of_end(number), sum(found) / len(found))
    except PrunedError:
        state = "complete" if len(found) == len(bench.request.inner) else "pruned"
    except (RunError, UsageError) as error:
        state, problem = "failed", str(error)
    seconds = round(time.perf_counter() - started, 3)
    return TrialOutcome(state, tuple(found), tuple(epochs), judge.steps, seconds, problem)


def judge_all(bench: Bench, changes: Sequence[str]) -> tuple[NDArray[np.int64], Floats]:
    """Rows of all clips that judge an inner fold, and their probabilities (clips, classes), fold by fold."""
    record = bench.record_of(override(bench.request.record.recipe, changes))
    found = [
        _judge(bench, record, fold, _Progress(LenientJudge(), number, ()))
        for number, fold in enumerate(bench.request.inner)
    ]
    rows = np.concatenate([np.array(fold.judge, dtype=np.int64) for fold in bench.request.inner])
    return rows, np.concatenate([judged.probabilities for judged in found])


@dataclass(frozen=True)
class _Progress:
    """Where a trial is: the inner fold from 0, and UA of the folds before it."""

    judge: Judge
    fold: int
    found: tuple[float, ...]

    def report_epoch(self, epoch: int, ua: float) -> None:
        """Report the mean UA with that of the best epoch so far. Raises :class:`PrunedError`."""
        self.judge.report(step_of_epoch(self.fold, epoch), (sum(self.found) + ua) / (len(self.found) + 1))


def _judge(bench: Bench, record: RunRecord, fold: InnerFold, progress: _Progress) -> Judged:
    """Fit ``record``'s recipe on one side of an inner fold, and predict the other."""
    views = record.recipe.train.views or (ORIGINAL_VIEW,)
    fitted, judging = bench.samples(fold.fit, views), bench.samples(fold.judge)
    if len(np.unique(fitted.classes)) < 2:
        raise RunError("all clips of an inner fold are of one class; use fewer --inner-folds")
    spec = record.recipe.model
    if isinstance(spec, LinearSpec):
        return Judged(_judge_linear(bench, record, spec, fitted, judging), None)
    return _judge_network(bench, record, fitted, judging, progress)


def _judge_linear(
    bench: Bench, record: RunRecord, spec: LinearSpec, fitted: Samples, judging: Samples
) -> Floats:
    """Probabilities of ``judging``. A temperature is left out: it changes no prediction.

    One thread computes them: the matrices are small, so that threads would mostly wait for each other, and
    sums have one order, whatever the number of cores.
    """
    with threadpool_limits(1):
        return _fit_linear(bench, record, spec, fitted, judging)


def _fit_linear(
    bench: Bench, record: RunRecord, spec: LinearSpec, fitted: Samples, judging: Samples
) -> Floats:
    vectors = vectors_of(record.recipe, bench.store.spec, record.features)
    classes, weights = len(record.classes), record.recipe.train.class_weights
    if spec.shrinkage == "auto" and spec.classifier == "lda":
        units = units_to_hold_out(bench.store.manifest.iloc[fitted.clips]).names
        decide = fitted.views == ORIGINAL_VIEW
        values = bench.read_vectors(record, vectors, fitted).numpy()
        model = fit_by_units(spec, values, fitted.classes, units, decide, classes, weights).classifier
        return model.predict(bench.read_vectors(record, vectors, judging).numpy())

    def read() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return (
            bench.read_vectors(record, vectors, fitted).numpy(),
            bench.read_vectors(record, vectors, judging).numpy(),
        )

    key = f"{bench.vectors_key(record)} {fitted.view_indices} {judging.clips.tolist()}"
    return bench.linear.predict(spec, Values(key, read, fitted.classes), classes, weights)


class _Watch(SilentObserver):
    """Keeps the outputs of the best epoch, and reports every epoch."""

    def __init__(self, record: RunRecord, judging: Samples, progress: _Progress) -> None:
        self._record, self._judging, self._progress = record, judging, progress
        self._outputs = torch.empty(0)
        self._ua = 0.0
        self.best: Floats = np.empty((0, 0))

    def validate(self, logits: Tensor, true: Tensor) -> ClassValidation:
        """Metrics of an epoch, whose outputs are kept if it is the best."""
        self._outputs = logits.clone()
        return validate_classes(logits, true)

    def epoch_done(self, result: AnyEpochResult) -> None:
        """Report the epoch. Raises :class:`PrunedError` if the trial ends here."""
        if result.best:
            self.best = results_of(self._record, self._outputs)
            self._ua = _ua(self._record, self.best, self._judging)
        self._progress.report_epoch(result.epoch - 1, self._ua)


def _judge_network(
    bench: Bench, record: RunRecord, fitted: Samples, judging: Samples, progress: _Progress
) -> Judged:
    """Train as a run is trained, with ``judging`` as its validation side, but save nothing."""
    train = record.recipe.train
    watch = _Watch(record, judging, progress)
    normaliser = Normaliser(bench.normalisation(record, fitted)).to(bench.device)
    problem = Problem(
        train=bench.source(record, fitted),
        validation=bench.source(record, judging),
        order=Order.of(bench.store, fitted, train.batch_size, train.view_sampling),
        normaliser=normaliser,
        loss=loss_for(record, fitted).to(bench.device),
        seed=record.seed,
        validate=watch.validate,
    )
    network = new_network(record)
    with float32_products(tf32=train.tf32):
        trained = fit(bench.fabric(record.recipe), network, problem, train, None, watch)
    return Judged(watch.best, None if trained.best is None else trained.best.epoch)


def _ua(record: RunRecord, probabilities: Floats, samples: Samples) -> float:
    """UA over emotions, as reports print it, 0…1."""
    labels = record.recipe.labels
    emotions = emotion_marginal(probabilities, labels.label_set(), labels.target)
    return unweighted_average_recall(samples.classes % emotions.shape[1], emotions.argmax(axis=1))
