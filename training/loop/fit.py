"""The training loop: epochs, validation, early stopping, checkpoints.

On a CPU, a seed gives the same weights, bit for bit, on the same machine with the same number of threads,
even if the run is stopped and resumed in mid-epoch. On CUDA, the order of samples and all random numbers are
the same, but gradients may be summed in another order, so that results agree closely but not bit for bit.

An epoch is *better* if its validation metric (``train.monitor``) is better than that of every earlier epoch,
by any amount. Training stops after ``patience`` consecutive epochs that are not better.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
import torch.distributed
from torch import Tensor, nn

from schemas.errors import RunError
from schemas.training import TrainSpec
from training.loader.order import Order, Position
from training.loader.source import OrderedSource, Source
from training.loop.augment import Augment
from training.loop.average import AveragedWeights
from training.loop.checkpoint import Trainee, resume_last, save_best, save_last
from training.loop.concordance import DimensionLoss
from training.loop.fabric import share_of
from training.loop.graphed import use_cuda_graphs
from training.loop.loss import Loss
from training.loop.normalise import Normaliser
from training.loop.optimise import optimiser_of, schedule_of
from training.loop.progress import TrainingProgress
from training.loop.step import Step
from training.loop.validate import ClassValidation, Validate, Validation, validate_classes
from training.runs.observer import AnyEpochResult, DimensionEpochResult, EpochObserver, EpochResult

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Problem:
    """What to train on: sources of training and validation, order of training, normaliser, loss and seed.

    Normaliser and loss are on the device of the sources' batches. ``validate`` computes the metrics of the
    validation side.
    """

    train: Source
    validation: Source
    order: Order
    normaliser: Normaliser
    loss: Loss | DimensionLoss
    seed: int
    validate: Validate = validate_classes
    plateau_of: Literal["training", "validation"] = "validation"
    """Loss that the schedule ``plateau`` follows: ``training`` if the validation clips are trained on."""


@dataclass(frozen=True)
class Saving:
    """Folder for checkpoints, and the seconds between them within an epoch; only the first process saves."""

    folder: Path
    every: float = math.inf


def fit(
    fabric: Fabric,
    model: nn.Module,
    problem: Problem,
    spec: TrainSpec,
    saving: Saving | None,
    observer: EpochObserver,
    *,
    cuda_graphs: bool = False,
) -> TrainingProgress:
    """Train ``model`` until validation stops improving; resume if ``saving.folder`` holds a checkpoint.

    Afterwards the folder holds the last and the best epoch; ``saving`` None: nothing is resumed or saved.
    ``model`` has the weights of the last epoch. The caller must have initialised the model from the seed.
    ``cuda_graphs`` records steps as CUDA graphs on a single GPU. Raises :class:`RunError` if the loss is no
    longer finite.
    """
    trainee = _trainee(fabric, model, spec)
    runner, stepper = fabric.setup(model, trainee.optimizer)
    progress = TrainingProgress()
    if saving is not None:
        progress = resume_last(saving.folder, trainee, problem.order.fingerprint)
    if saving is not None and fabric.is_global_zero:
        save_best(saving.folder, progress)
    augment = Augment(spec).to(fabric.device)
    step = Step(fabric, runner, stepper, trainee, problem.normaliser, augment, problem.loss, spec)
    if cuda_graphs:
        step = use_cuda_graphs(step)
    while progress.epoch < spec.epochs and not progress.exhausted(spec.patience):
        started = time.perf_counter() - progress.seconds
        observer.epoch_started(progress.epoch + 1, len(problem.order), progress.batch)
        _train_epoch(step, problem, progress, saving, observer)
        train_loss = progress.loss / progress.weight
        with _use_validated_weights(trainee):
            outputs, true = forward_all(
                fabric, model, problem.normaliser, problem.validation, spec.batch_size
            )
            result = _epoch_result(
                progress.epoch + 1,
                train_loss,
                problem.validate(outputs, true),
                float(trainee.optimizer.param_groups[0]["lr"]),
                round(time.perf_counter() - started, 3),
            )
            _require_finite(result, spec)
            result = replace(result, best=progress.improves(result, spec.monitor))
            progress.add(result, model.state_dict())
        watched = result.train_loss if problem.plateau_of == "training" else result.validation_loss
        trainee.schedule.epoch_done(watched)
        # "last" first; "best" is a part of it: if the process is killed in between, resuming writes it again.
        if saving is not None and fabric.is_global_zero:
            save_last(saving.folder, trainee, progress, problem.order.fingerprint)
            if result.best:
                save_best(saving.folder, progress)
        observer.epoch_done(result)
    return progress


def forward_all(
    fabric: Fabric, model: nn.Module, normaliser: Normaliser, source: OrderedSource, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Outputs (n, outputs) float32 and targets of all samples of ``source``, on the CPU.

    ``model`` is put in evaluation mode. Each process computes its batches, and all processes return all
    results. ``model`` and ``normaliser`` are on the device of the source's batches.
    """
    model.eval()
    own: list[tuple[Tensor, Tensor]] = []
    logits = targets = torch.empty(0)
    done = 0
    with torch.inference_mode():
        for batch in source.in_order(batch_size, share_of(fabric)):
            with fabric.autocast():
                found = model(normaliser(batch.features, batch.valid_frames), batch.valid_frames)
            if not done:
                # Allocated at once: small tensors between large batches would fragment the heap.
                logits = torch.empty((len(source), found.shape[1]))
                targets = torch.empty((len(source), *batch.targets.shape[1:]), dtype=batch.targets.dtype)
            part = slice(done, done + len(found))
            logits[part], targets[part] = found, batch.targets
            own.append((logits[part], targets[part]))
            done = part.stop
    if fabric.world_size == 1:
        return logits, targets
    parts = _from_all_ranks(own)
    return torch.cat([logits for logits, _ in parts]), torch.cat([targets for _, targets in parts])


def move_to(model: nn.Module, device: torch.device) -> None:
    """Move ``model`` to ``device``, with channels-last convolutions, which are 1.5 times as fast on a CPU."""
    nn.utils.convert_conv2d_weight_memory_format(model.to(device), torch.channels_last)


def _trainee(fabric: Fabric, model: nn.Module, spec: TrainSpec) -> Trainee:
    """Move ``model`` to its device, and create optimiser, schedule and average."""
    move_to(model, fabric.device)
    optimizer = optimiser_of(model, spec)
    average = None if spec.average is None else AveragedWeights(model, spec.average)
    return Trainee(model, optimizer, schedule_of(optimizer, spec), average)


def _train_epoch(
    step: Step, problem: Problem, progress: TrainingProgress, saving: Saving | None, observer: EpochObserver
) -> None:
    """Train to the end of the current epoch; ``progress`` holds its sums."""
    fabric, order = step.fabric, problem.order
    step.runner.train()
    total = torch.tensor([progress.loss, progress.weight], device=fabric.device, dtype=torch.float64)
    began = saved = time.perf_counter()
    earlier = progress.seconds
    start = Position(problem.seed, progress.epoch, progress.batch)
    for batch in problem.train.batches(order, start, share_of(fabric)):
        at = Position(problem.seed, progress.epoch, progress.batch)
        total += torch.stack(step(batch, at, progress.batch / len(order)))
        progress.batch += 1
        observer.batch_done()
        now = time.perf_counter()
        if saving is not None and fabric.is_global_zero and now - saved > saving.every:
            progress.loss, progress.weight = total.tolist()
            progress.seconds = earlier + now - began
            save_last(saving.folder, step.trainee, progress, order.fingerprint)
            saved = time.perf_counter()
    progress.loss, progress.weight = total.tolist()


def _epoch_result(
    epoch: int, train_loss: float, found: Validation, learning_rate: float, seconds: float
) -> AnyEpochResult:
    """The row of an epoch; whether it is the best so far is not known yet."""
    if isinstance(found, ClassValidation):
        return EpochResult(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=found.loss,
            validation_ua=found.ua,
            validation_wa=found.wa,
            learning_rate=learning_rate,
            seconds=seconds,
            best=False,
        )
    return DimensionEpochResult(
        epoch=epoch,
        train_loss=train_loss,
        validation_loss=found.loss,
        validation_ccc=found.ccc,
        validation_rmse=found.rmse,
        learning_rate=learning_rate,
        seconds=seconds,
        best=False,
    )


def _require_finite(result: AnyEpochResult, spec: TrainSpec) -> None:
    if not (math.isfinite(result.train_loss) and math.isfinite(result.validation_loss)):
        raise RunError(
            f"the loss is no longer finite in epoch {result.epoch} (training {result.train_loss}, "
            f"validation {result.validation_loss}); lower the recipe's lr ({spec.lr:g})"
        )


@contextmanager
def _use_validated_weights(trainee: Trainee) -> Iterator[None]:
    """Within the context the model has the weights to validate: their average if there is one."""
    with nullcontext() if trainee.average is None else trainee.average.swap_in(trainee.model):
        yield


def _from_all_ranks(parts: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Gather the batches of all ranks in order; rank r has every world-th batch, starting with batch r."""
    # Cloned, because sending a view would send the whole tensor.
    parts = [(logits.clone(), targets.clone()) for logits, targets in parts]
    gathered: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(gathered, parts)
    return [part for group in zip_longest(*gathered) for part in group if part is not None]
