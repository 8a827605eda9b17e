"""Train: from a store and a recipe to a run folder with a tested model.

::

    plan ──▶ normalise ──▶ load ──▶ fit ──▶ test with the best weights ──▶ run folder
    labels, split, audit            checkpoints, history
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from lightning.fabric import Fabric
from torch import nn

from featurestore.durable import storage_errors
from schemas.errors import RunError, StoppedError
from schemas.labels import label_set
from training.checkpoint import Progress, load_best, read_history
from training.figures import confusion_png, curves_png
from training.loader.ram import read_samples
from training.loader.source import Source
from training.loop import Problem, fit, forward_all
from training.metrics import Evaluation, evaluate
from training.model_card import model_card
from training.models.registry import build_model
from training.normalise import Normalisation, Normaliser, normalisation_of
from training.observer import Observer, SilentObserver, Start
from training.plan import Plan, TrainRequest, plan
from training.recorder import Recorder, history_csv
from training.report import report
from training.result import RunResult
from training.run import RunFolder
from training.samples import SIDES, Side

__all__ = ["RunResult", "TrainRequest", "train"]


def train(request: TrainRequest, observer: Observer | None = None) -> RunResult:
    """Train, test and write a run folder; go on with one where ``request.resume`` names it.

    The folder is made only once the plan stands and its audit is clean. A run that was killed at any
    later moment can be resumed, and on a CPU ends with the very metrics of one that was not. Seeds torch's
    global generator, and gives torch as many threads as the run was begun with.

    Raises
    ------
    SerError
        What :func:`training.plan.plan` raises; :class:`RunError` where the run is being trained by another
        process or its loss is no longer finite; :class:`StorageError` where it cannot be written;
        :class:`StoppedError` on Ctrl-C, once there is a run to go on with.
    """
    observer = observer or SilentObserver()
    planned = plan(request)
    torch.set_num_threads(planned.record.threads)
    for sentence in planned.notices:
        observer.notice(sentence)
    model = _new_model(planned)
    folder = RunFolder.open(request.resume) if request.resume else _begun(request, planned)
    resume = planned.resume_command(folder.path)
    with _locked(folder, resume):
        try:
            return _trained(planned, folder, model, observer, resume)
        except KeyboardInterrupt:
            raise StoppedError(f"stopped; go on with: {resume}") from None


def _begun(request: TrainRequest, planned: Plan) -> RunFolder:
    """Folder of a new run with its plan; no folder stays where the plan could not be written."""
    folder = RunFolder.create(request.output or Path("runs"), planned.record)
    try:
        with storage_errors(folder.path):
            _write_plan(folder, planned)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return folder


@contextmanager
def _locked(folder: RunFolder, resume: str) -> Iterator[None]:
    """Keep other processes out of the run."""
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


def _new_model(planned: Plan) -> nn.Module:
    """Model of the recipe, initialised from the run's seed."""
    record = planned.record
    torch.manual_seed(record.seed)
    return build_model(
        record.recipe.model,
        coefficients=sum(record.store_spec.coefficients[feature] for feature in record.features),
        frames=record.store_spec.frames,
        classes=len(record.classes),
    )


def _write_plan(folder: RunFolder, planned: Plan) -> None:
    """Write what a resumed run starts from; ``run.json`` last."""
    manifest, record = planned.store.manifest, planned.record
    trained = manifest["speaker"][manifest["clip_id"].isin(planned.split.train)]
    normalisation_of(
        planned.store, sorted(trained.unique()), planned.samples["train"].view_indices, record.features
    ).save(folder.normalisation)
    folder.write_json("split.json", planned.split.to_json())
    folder.write_json("audit.json", planned.audit.to_json())
    folder.write_record(record)


def _trained(
    planned: Plan, folder: RunFolder, model: nn.Module, observer: Observer, resume: str
) -> RunResult:
    record = planned.record
    observer.started(Start(folder.path, planned.device.type, record.threads, planned.sides))
    fabric = Fabric(accelerator=planned.device.type, devices=1)
    observer.loading_started(sum(map(len, planned.samples.values())))
    sources: dict[Side, Source] = {
        side: read_samples(
            planned.store, samples, record.features, planned.home, fabric.device, observer.loaded
        )
        for side, samples in planned.samples.items()
    }
    normaliser = Normaliser(Normalisation.load(folder.normalisation)).to(fabric.device)
    problem = Problem(sources["train"], sources["validation"], normaliser, record.seed, record.store_digest)
    earlier = read_history(folder.checkpoints)
    with (
        storage_errors(folder.path, retry=f"run {resume}"),
        Recorder(folder, earlier, observer) as recorder,
    ):
        progress = fit(fabric, model, problem, record.recipe.train, folder.checkpoints, recorder)
    best_epoch = load_best(folder.checkpoints, model)
    tested: dict[Side, Evaluation] = {
        side: _evaluated(fabric.setup_module(model), normaliser, planned, sources[side], side)
        for side in ("validation", "test")
    }
    result = _result(planned, folder, tested, progress, best_epoch)
    with storage_errors(folder.path, retry=f"run {resume}"):
        _write_result(result)
    return result


def _evaluated(
    model: nn.Module, normaliser: Normaliser, planned: Plan, source: Source, side: Side
) -> Evaluation:
    recipe = planned.record.recipe
    logits, true = forward_all(model, normaliser, source, recipe.train.batch_size)
    rows = planned.store.manifest.iloc[planned.samples[side].clips]
    return evaluate(
        true.numpy(),
        logits.double().softmax(dim=1).numpy(),
        label_set(recipe.labels.set),
        recipe.labels.target,
        {"corpus": rows["dataset"], "gender": rows["gender"], "speaker": rows["speaker"]},
    )


def _result(
    planned: Plan, folder: RunFolder, tested: dict[Side, Evaluation], progress: Progress, best_epoch: int
) -> RunResult:
    record, title = planned.record, planned.split.title
    datasets = planned.store.manifest["dataset"]
    return RunResult(
        folder=folder,
        record=record,
        title=title,
        test=tested["test"],
        validation=tested["validation"],
        best_epoch=best_epoch,
        history=tuple(progress.history),
        sides=planned.sides,
        corpora={side: tuple(sorted(datasets.iloc[planned.samples[side].clips].unique())) for side in SIDES},
        audit=planned.audit,
        notices=planned.notices,
        report=report(tested["test"], record.recipe.labels.target, title, best_epoch),
    )


def _write_result(result: RunResult) -> None:
    """Write history, figures, model card and, last, ``metrics.json``."""
    folder, heading = result.folder, f"{result.subject}\n{result.title}"
    folder.write_text("history.csv", history_csv(result.history))
    folder.write_bytes("curves.png", curves_png(result.history, heading))
    folder.write_bytes("confusion.png", confusion_png(result.test.own, heading))
    folder.write_bytes("confusion-emotion.png", confusion_png(result.test.emotion, heading))
    folder.write_text("README.md", model_card(result))
    folder.write_json("metrics.json", result.to_json())
