"""The training loop: epochs, validation, learning rate, early stopping, checkpoints.

On the CPU a seed gives the same weights, bit for bit, on the same machine with the same number of threads,
also when a run is stopped and resumed. On CUDA the order of samples and the draws of dropout are the same;
sums of gradients may be taken in another order, so that results agree closely but not in every bit.

An epoch is *better* when its validation loss is lower than that of every epoch before it, by however little.
Training stops after ``patience`` epochs in a row that are not better. The learning rate is multiplied by
``lr_factor`` when ``lr_patience`` + 1 epochs in a row are not better, from the next epoch on, and then
counts anew: with an ``lr_patience`` of 2, the third such epoch is the last at the old rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from schemas.errors import RunError
from schemas.training import TrainSpec
from training.checkpoint import Progress, Trainee, resume_last, save_best, save_last
from training.loader.sampler import Position, Sampler, in_order
from training.loader.source import Batch, Source
from training.metrics import unweighted_average_recall
from training.normalise import Normaliser
from training.observer import EpochObserver, EpochResult


@dataclass(frozen=True)
class Problem:
    """What is learnt from: sources of the two sides, normalisation, seed and digest of the store.

    The normaliser is on the device of the sources' batches.
    """

    train: Source
    validation: Source
    normaliser: Normaliser
    seed: int
    store_digest: str


def fit(
    fabric: Fabric,
    model: nn.Module,
    problem: Problem,
    spec: TrainSpec,
    checkpoints: Path,
    observer: EpochObserver,
) -> Progress:
    """Train ``model`` until the validation loss no longer falls; resume where ``checkpoints`` holds a run.

    Afterwards ``checkpoints`` holds the last and the best epoch, and ``model`` the last one. The caller
    has initialised the model from the seed. Raises :class:`RunError` where the loss is no longer finite.
    """
    trainee = _trainee(fabric, model, spec)
    runner, stepper = fabric.setup(model, trainee.optimizer)
    sampler = Sampler(len(problem.train), spec.batch_size, problem.store_digest)
    torch.manual_seed(problem.seed)
    progress = resume_last(checkpoints, trainee)
    save_best(checkpoints, progress)
    while progress.epoch < spec.epochs and not progress.exhausted(spec.patience):
        started = time.perf_counter()
        observer.epoch_started(progress.epoch + 1, len(sampler))
        batches = sampler.batches(Position(problem.seed, progress.epoch))
        train_loss = _train_epoch(fabric, runner, stepper, problem, batches, observer)
        logits, true = forward_all(runner, problem.normaliser, problem.validation, spec.batch_size)
        validation_loss = float(F.cross_entropy(logits, true))
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            raise RunError(
                f"the loss is no longer finite in epoch {progress.epoch + 1} (training {train_loss}, "
                f"validation {validation_loss}); lower the recipe's lr ({spec.lr:g})"
            )
        predicted = logits.argmax(dim=1).numpy()
        result = EpochResult(
            epoch=progress.epoch + 1,
            train_loss=train_loss,
            validation_loss=validation_loss,
            validation_ua=unweighted_average_recall(true.numpy(), predicted),
            validation_wa=float((true.numpy() == predicted).mean()),
            learning_rate=trainee.optimizer.param_groups[0]["lr"],
            seconds=round(time.perf_counter() - started, 3),
            best=progress.best is None or validation_loss < progress.best.validation_loss,
        )
        trainee.scheduler.step(validation_loss)
        progress.add(result, model)
        # Last before best, which is a part of it: after a kill between the two, resuming writes best again.
        save_last(checkpoints, trainee, progress)
        if result.best:
            save_best(checkpoints, progress)
        observer.epoch_done(result)
    return progress


def forward_all(
    model: nn.Module, normaliser: Normaliser, source: Source, batch_size: int
) -> tuple[Tensor, Tensor]:
    """Logits (n, classes) float32 and targets (n,) int64 of all of ``source``, on the CPU, dropout off.

    ``model`` and ``normaliser`` are on the device of the source's batches.
    """
    model.eval()
    logits, true = [], []
    with torch.inference_mode():
        for indices in in_order(len(source), batch_size):
            batch = source.gather(indices)
            logits.append(_logits(model, normaliser, batch).float())
            true.append(batch.targets)
    return torch.cat(logits).cpu(), torch.cat(true).cpu()


def _trainee(fabric: Fabric, model: nn.Module, spec: TrainSpec) -> Trainee:
    """Model on its device, channels last (half as fast again on a CPU), with Adam and its schedule."""
    nn.utils.convert_conv2d_weight_memory_format(model.to(fabric.device), torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
    scheduler = ReduceLROnPlateau(
        optimizer, factor=spec.lr_factor, patience=spec.lr_patience, threshold=0, eps=0
    )
    return Trainee(model, optimizer, scheduler)


def _train_epoch(
    fabric: Fabric,
    model: nn.Module,
    optimizer: Optimizer,
    problem: Problem,
    batches: Iterator[NDArray[np.int64]],
    observer: EpochObserver,
) -> float:
    """One pass over ``batches``; mean loss of the samples."""
    model.train()
    total = torch.zeros((), device=fabric.device, dtype=torch.float64)
    count = 0
    for indices in batches:
        batch = problem.train.gather(indices)
        loss = F.cross_entropy(_logits(model, problem.normaliser, batch), batch.targets)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        total += loss.detach() * len(indices)
        count += len(indices)
        observer.batch_done()
    return float(total) / count


def _logits(model: nn.Module, normaliser: Normaliser, batch: Batch) -> Tensor:
    logits: Tensor = model(normaliser(batch.features, batch.valid_frames), batch.valid_frames)
    return logits
