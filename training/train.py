"""Train and test one model: from a store and a recipe to a run folder.

::

    plan ──▶ normalise ──▶ load ──▶ fit ──▶ test with the best weights ──▶ run folder
    labels, split, audit            checkpoints, history
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from filelock import FileLock, Timeout
from torch import nn

from featurestore.places.durable import storage_errors
from featurestore.places.partials import sweep_folder
from pipelines.float32_products import float32_products
from schemas.architecture import LinearSpec
from schemas.errors import RunError, StoppedError, UsageError
from schemas.labels import Target
from schemas.recipe import Recipe
from training.evaluate import predictions_of
from training.explain.measure import explain
from training.linear.training import train_linear
from training.loop.fabric import OneProcess, processes_for
from training.loop.graphed import require_capturable
from training.loop.network import TrainingOutcome, new_network, require_room, train_network
from training.loop.normalise import normalisation_of
from training.loop.ranks import is_one_of_several
from training.metrics.side import evaluate_side
from training.plan.make import plan
from training.plan.plan import Plan
from training.predict.trained import TrainedModel
from training.report.explanation import EXPLANATION
from training.report.files import write_result
from training.report.result import RunResult
from training.report.result_text import result_text
from training.report.sentences import sentence_note
from training.report.temperature import temperature_sentences
from training.runs.hashes import notes_on_hashes, require_resumable, take_out_results
from training.runs.observer import Observer, SilentObserver, Start
from training.runs.request import TrainRequest
from training.runs.run import RunFolder, RunRecord, run_name
from training.samples.samples import Samples
from training.splits.side import SIDES
from training.vectors.clip_vectors import clip_vectors

if TYPE_CHECKING:
    from lightning.fabric import Fabric

__all__ = ["RunResult", "TrainRequest", "train"]


def train(request: TrainRequest, observer: Observer | None = None) -> RunResult:
    """Train a model, test it and write its run folder; or resume the run at ``request.resume``.

    The folder is created once the plan is complete and its audit is clean. A run that is killed later can be
    resumed; on a CPU it ends with exactly the metrics of an uninterrupted run. Seeds torch's global generator
    and sets torch's threads to the number with which the run was started. Under ``torchrun`` all processes
    call this with the same request and train one model together.

    Raises
    ------
    SerError
        What :func:`training.plan.make.plan` raises; :class:`UsageError` for a regression under ``torchrun``;
        :class:`RunError` if another process is training the run
        or its loss is no longer finite; :class:`StorageError` if it cannot be written; :class:`StoppedError`
        on Ctrl-C, once there is a run to resume.
    """
    observer = observer or SilentObserver()
    if request.resume is not None:
        _check_hashes(request.resume, observer)
    planned = plan(request)
    _require_one_process(planned.record)
    if request.explain:
        require_explainable(planned.record.recipe)
    torch.set_num_threads(planned.record.threads)
    linear = isinstance(planned.record.recipe.model, LinearSpec)
    fabric = processes_for(planned.device, planned.record.recipe.train, linear=linear)
    for sentence in planned.notices:
        observer.notice(sentence)
    # Before the folder is created: the network may not fit.
    network = None if linear else new_network(planned.record)
    require_room(planned.record, planned.store, planned.read, fabric.device, planned.hardware)
    if planned.hardware.cuda_graphs and network is not None:
        require_capturable(network, planned.smallest_batch)
    folder = _open_folder(fabric, request, planned)
    explains = request.explain or (folder.path / EXPLANATION).exists()
    resume = planned.resume_command(folder.path, explain=request.explain)
    with _lock(fabric, folder, resume):
        try:
            with float32_products(tf32=planned.record.recipe.train.tf32):
                return _train(fabric, planned, folder, network, observer, resume, explains=explains)
        except KeyboardInterrupt:
            raise StoppedError(f"stopped; resume with: {resume}") from None


def _require_one_process(record: RunRecord) -> None:
    """Raise :class:`UsageError` for a regression by several processes: its loss needs the whole batch."""
    if record.dimensions and is_one_of_several():
        raise UsageError(
            "torchrun splits each batch among processes, but the CCC of labels.target regression needs the "
            "whole batch; train with ser-train alone"
        )


def require_explainable(recipe: Recipe) -> None:
    """Raise :class:`UsageError` if ``--explain`` cannot measure what a recipe's model listens to."""
    if recipe.labels.target is Target.REGRESSION:
        raise UsageError(
            "--explain measures UA, but labels.target regression predicts values; leave out --explain"
        )
    if is_one_of_several():
        raise UsageError(
            "--explain tests a model with a single process; train without it, and then run "
            "ser-train --resume RUN --explain"
        )


def _check_hashes(path: Path, observer: Observer) -> None:
    """Compare the files of a run to resume with their hashes. Raises :class:`RunError`."""
    folder = RunFolder.find(path)
    for sentence in (*require_resumable(folder.path), *notes_on_hashes([folder.path])):
        observer.notice(sentence)


def _open_folder(fabric: Fabric | OneProcess, request: TrainRequest, planned: Plan) -> RunFolder:
    """Open the folder of the run, the same for all processes; the first process creates it."""
    if request.resume is not None:
        return RunFolder.find(request.resume)
    path = str(_create_folder(request, planned).path) if fabric.is_global_zero else ""
    return RunFolder.find(Path(fabric.broadcast(path)))


def _create_folder(request: TrainRequest, planned: Plan) -> RunFolder:
    """Create the folder of a new run with its plan, or leave none if the plan cannot be written."""
    record = planned.record
    name = request.name or run_name(record.created, record.recipe, planned.split.protocol, request.recipe)
    folder = RunFolder.create(request.output or Path("runs"), name)
    try:
        with storage_errors(folder.path):
            _write_plan(folder, planned, request)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return folder


@contextmanager
def _lock(fabric: Fabric | OneProcess, folder: RunFolder, resume: str) -> Iterator[None]:
    """Keep other training processes out of the run; the first process holds the lock for all of them."""
    if not fabric.is_global_zero:
        yield
        return
    lock = FileLock(folder.path / ".lock")
    with storage_errors(folder.path, retry=f"run {resume}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"another process is training in {folder.path}; wait for it or start a new run"
            ) from None
    try:
        yield
    finally:
        lock.release()


def _write_plan(folder: RunFolder, planned: Plan, request: TrainRequest) -> None:
    """Write what a resumed run starts from, ``run.json`` last."""
    record, samples = planned.record, planned.fitted
    if not isinstance(record.recipe.model, LinearSpec):
        normalisation_of(
            planned.store,
            record.recipe.input,
            samples.clips,
            samples.view_indices,
            record.features,
            clip_vectors(record.recipe, planned.store.spec, record.features),
        ).save(folder.normalisation)
    if request.searched is not None and request.searched.held_out is not None:
        folder.write_bytes(folder.held_out.name, request.searched.held_out.read_bytes())
    folder.write_json("split.json", planned.split.to_json())
    folder.write_json("audit.json", planned.audit.to_json())
    folder.write_record(record)


def _train(
    fabric: Fabric | OneProcess,
    planned: Plan,
    folder: RunFolder,
    network: nn.Module | None,
    observer: Observer,
    resume: str,
    *,
    explains: bool,
) -> RunResult:
    observer.started(
        Start(folder.path, planned.device.type, planned.record.threads, planned.sides, planned.epoch_samples)
    )
    if fabric.is_global_zero:
        with storage_errors(folder.path, retry=f"run {resume}"):
            for left in (folder.path, folder.checkpoints):
                sweep_folder(left)
            take_out_results(folder.path)
    spec = planned.record.recipe.model
    if isinstance(spec, LinearSpec):
        trained = train_linear(planned, folder, spec, observer)
    elif isinstance(fabric, OneProcess):
        raise TypeError("a network is trained by Fabric")
    else:
        trained = train_network(fabric, planned, folder, network or new_network(planned.record), observer)
    result = _result(planned, folder, trained)
    if explains:
        observer.notice("measuring what the model listens to")
        model = TrainedModel(folder, planned.record)
        test, device = planned.samples["test"], fabric.device
        explanation = explain([model], [1.0], planned.store, test, device, planned.hardware)
        result = replace(result, explanation=explanation)
    if fabric.is_global_zero:
        with storage_errors(folder.path, retry=f"run {resume}"):
            for problem in write_result(result):
                observer.notice(problem)
    return result


def _result(planned: Plan, folder: RunFolder, trained: TrainingOutcome) -> RunResult:
    record, split = planned.record, planned.split
    claim = split.claim.with_inputs([record.recipe.input]).with_search([record.configurations])
    labels = record.recipe.labels
    manifest = planned.store.manifest
    predictions = {
        side: predictions_of(planned.store, planned.samples[side], record.outputs, results)
        for side, results in trained.results.items()
    }
    tested = {side: evaluate_side(found, labels) for side, found in predictions.items()}
    return RunResult(
        folder=folder,
        record=record,
        claim=claim,
        test=tested["test"],
        validation=tested["validation"],
        best_epoch=trained.best_epoch,
        history=trained.history,
        sides=planned.sides,
        fitted=planned.fitted_size,
        corpora={side: _unique_values(manifest["dataset"], planned.samples[side]) for side in SIDES},
        audit=planned.audit,
        notices=planned.notices,
        report=result_text(
            tested["test"],
            labels,
            claim,
            trained.best_epoch,
            remarks=[sentence_note([planned.audit.sentences], claim)],
            calibration=temperature_sentences([trained.temperature]),
            layers=trained.layer_shares,
        ),
        predictions=predictions["test"],
        validation_predictions=predictions["validation"],
        parameters=trained.parameters,
        temperature=trained.temperature,
        layer_shares=trained.layer_shares,
        validation_by=split.validation_by,
        split=split,
        speakers={side: _unique_values(manifest["speaker"], planned.samples[side]) for side in SIDES},
    )


def _unique_values(column: pd.Series[str], samples: Samples) -> tuple[str, ...]:
    """Values of ``column`` of the manifest among ``samples``, each once, sorted."""
    return tuple(sorted(column.iloc[samples.clips].astype(str).unique()))
