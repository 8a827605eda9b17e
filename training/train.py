"""Train: from a store and a recipe to a run folder with a tested model.

::

    plan ──▶ normalise ──▶ load ──▶ fit ──▶ test with the best weights ──▶ run folder
    labels, split, audit            checkpoints, history
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from lightning.fabric import Fabric
from torch import nn

from pipelines.device import choose_device
from schemas.errors import RunError
from schemas.labels import label_set
from training.atomic import write_atomically
from training.audit import Audit
from training.checkpoint import Progress, load_best, read_history
from training.figures import confusion_png, curves_png
from training.loader.ram import read_samples
from training.loader.source import Source
from training.loop import Problem, fit, forward_all
from training.metrics import Evaluation, evaluate
from training.model_card import model_card
from training.models.registry import build_model
from training.normalise import Normalisation, Normaliser, normalisation_of
from training.observer import EpochResult, Observer, SilentObserver
from training.plan import Plan, TrainRequest, plan
from training.recorder import Recorder, history_csv
from training.report import report
from training.run import RunFolder
from training.samples import Side

__all__ = ["RunResult", "TrainRequest", "train"]


@dataclass(frozen=True)
class RunResult:
    """What a training found. ``title`` names the protocol and stands beside every figure."""

    folder: RunFolder
    title: str
    test: Evaluation
    validation: Evaluation
    best_epoch: int
    history: tuple[EpochResult, ...]
    audit: Audit
    notices: tuple[str, ...]
    report: str
    """Text table for people."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``; equal for equal runs, so without times and paths."""
        return {
            "protocol": self.audit.protocol,
            "title": self.title,
            "best_epoch": self.best_epoch,
            "epochs": len(self.history),
            "test": self.test.to_json(),
            "validation": self.validation.to_json(),
        }


def train(request: TrainRequest, observer: Observer | None = None) -> RunResult:
    """Train, test and write a run folder; go on with one where ``request.resume`` names it.

    The folder is made only once the plan stands and its audit is clean. A run that was killed at any
    later moment can be resumed, and on a CPU ends with the very metrics of one that was not. Seeds torch's
    global generator.

    Raises
    ------
    SerError
        What :func:`training.plan.plan` raises; :class:`RunError` where the run is being trained by another
        process or its loss is no longer finite; :class:`StorageError` where it cannot be written.
    """
    observer = observer or SilentObserver()
    device = choose_device(request.device)
    planned = plan(request)
    for sentence in planned.notices:
        observer.notice(sentence)
    model = _new_model(planned)
    if request.resume is None:
        folder = RunFolder.create(request.output, planned.record)
        _write_plan(folder, planned)
    else:
        folder = RunFolder.open(request.resume)
    lock = FileLock(folder.path / ".lock")
    try:
        with lock.acquire(timeout=0):
            return _trained(planned, folder, model, device, observer)
    except Timeout:
        raise RunError(
            f"another process is training in {folder.path}; wait for it or start a new run"
        ) from None


def _new_model(planned: Plan) -> nn.Module:
    """Model of the recipe, initialised from the run's seed."""
    record = planned.record
    specs = [spec for spec in record.store_spec.features if spec.kind in record.features]
    torch.manual_seed(record.seed)
    return build_model(
        record.recipe.model.name,
        coefficients=sum(spec.coefficients for spec in specs),
        frames=record.store_spec.frames,
        classes=len(record.classes),
        dropout=record.recipe.train.dropout,
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
    planned: Plan, folder: RunFolder, model: nn.Module, device: torch.device, observer: Observer
) -> RunResult:
    record = planned.record
    fabric = Fabric(accelerator=device.type, devices=1, precision=record.precision)
    observer.loading_started(sum(map(len, planned.samples.values())))
    sources: dict[Side, Source] = {
        side: read_samples(planned.store, samples, record.features, fabric.device, observer.loaded)
        for side, samples in planned.samples.items()
    }
    normaliser = Normaliser(Normalisation.load(folder.normalisation)).to(fabric.device)
    problem = Problem(sources["train"], sources["validation"], normaliser, record.seed, record.store_digest)
    with Recorder(folder, read_history(folder.checkpoints), observer) as recorder:
        progress = fit(fabric, model, problem, record.recipe.train, folder.checkpoints, recorder)
    best_epoch = load_best(folder.checkpoints, model)
    tested: dict[Side, Evaluation] = {
        side: _evaluated(fabric.setup_module(model), normaliser, planned, sources[side], side)
        for side in ("validation", "test")
    }
    return _written(planned, folder, tested, progress, best_epoch)


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
        {"corpus": rows["dataset"], "gender": rows["gender"]},
    )


def _written(
    planned: Plan, folder: RunFolder, tested: dict[Side, Evaluation], progress: Progress, best_epoch: int
) -> RunResult:
    """Write the results and return them."""
    record, title, test = planned.record, planned.split.title, tested["test"]
    result = RunResult(
        folder=folder,
        title=title,
        test=test,
        validation=tested["validation"],
        best_epoch=best_epoch,
        history=tuple(progress.history),
        audit=planned.audit,
        notices=planned.notices,
        report=report(test, record.recipe.labels.target, title, best_epoch),
    )
    clips = np.concatenate([samples.clips for samples in planned.samples.values()])
    datasets = sorted(planned.store.manifest["dataset"].iloc[clips].unique())
    folder.write_text("history.csv", history_csv(progress.history))
    for name, png in (
        ("curves.png", curves_png(progress.history, title)),
        ("confusion.png", confusion_png(test.own, title)),
        ("confusion-emotion.png", confusion_png(test.emotion, title)),
    ):
        write_atomically(folder.path / name, png)
    folder.write_text(
        "README.md",
        model_card(record, title, planned.audit, test, datasets, planned.notices, best_epoch),
    )
    folder.write_json("metrics.json", result.to_json())
    return result
