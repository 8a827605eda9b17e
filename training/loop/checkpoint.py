"""Checkpoints: everything a training run needs to continue as if it had never stopped.

``last.safetensors`` is the single source of truth. Its tensors are the weights, the best epoch's weights, the
optimiser's moments and the average; everything else is JSON in its header, under ``state``. Because it is one
file, written by renaming, it never mixes two steps. ``best.safetensors`` is a part of it, for prediction,
written after it and again when a run is resumed. The state of both has a hash of everything in the file
(:mod:`training.loop.checkpoint_hash`), which is compared when it is read. There is no pickle, and no state of
random generators, since every step seeds its own (:func:`training.loop.step.step_seed`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from featurestore.places.durable import write_durably
from schemas.errors import RunError
from training.loop import checkpoint_hash
from training.loop.average import AveragedWeights
from training.loop.optimise import Schedule
from training.loop.progress import TrainingProgress
from training.runs.observer import AnyEpochResult, DimensionEpochResult, EpochResult

LAST, BEST = "last.safetensors", "best.safetensors"

_STATES = {
    LAST: {"history", "batch", "loss", "weight", "seconds", "loader", "schedule", "learning_rates"},
    BEST: {"epoch", "validation_loss"},
}
"""Keys of the state of each file, without that of its hash."""


@dataclass(frozen=True)
class Trainee:
    """The state that training changes and checkpoints save."""

    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    average: AveragedWeights | None


def save_last(folder: Path, trainee: Trainee, progress: TrainingProgress, fingerprint: str) -> None:
    """Write ``last.safetensors``; ``fingerprint`` is the fingerprint of the loader's order."""
    average = trainee.average
    tensors = {
        **_with_prefix("model", trainee.model.state_dict()),
        **_with_prefix("best", progress.best_weights),
        **_with_prefix("average", {} if average is None else average.state()),
        **_moments(trainee.optimizer),
    }
    state = {
        "history": [asdict(result) for result in progress.history],
        "batch": progress.batch,
        "loss": progress.loss,
        "weight": progress.weight,
        "seconds": progress.seconds,
        "loader": fingerprint,
        "schedule": trainee.schedule.to_json(),
        "learning_rates": [float(group["lr"]) for group in trainee.optimizer.param_groups],
    }
    _write(folder / LAST, tensors, state)


def save_best(folder: Path, progress: TrainingProgress) -> None:
    """Write ``best.safetensors``: the best weights and their epoch; does nothing before epoch 1 is done."""
    if progress.best is None:
        return
    state = {"epoch": progress.best.epoch, "validation_loss": progress.best.validation_loss}
    _write(folder / BEST, _with_prefix("model", progress.best_weights), state)


def resume_last(folder: Path, trainee: Trainee, fingerprint: str) -> TrainingProgress:
    """Load ``last.safetensors`` into ``trainee``; return a new TrainingProgress if there is no such file.

    Raises :class:`RunError` if the file is damaged, lost, of another model, or of the order of another store,
    split or batch size.
    """
    if not _has_last(folder):
        return TrainingProgress()
    tensors, state = _read(folder / LAST)
    try:
        best_weights = _part(tensors, "best")
        if best_weights:
            trainee.model.load_state_dict(best_weights)  # only to see that they fit
        trainee.model.load_state_dict(_part(tensors, "model"))
        if trainee.average is not None:
            trainee.average.load(_part(tensors, "average"))
        _load_optimizer(trainee.optimizer, tensors, state["learning_rates"])
        trainee.schedule.load(state["schedule"])
        progress = TrainingProgress(
            history=_history(folder, state),
            best_weights=best_weights,
            batch=int(state["batch"]),
            loss=float(state["loss"]),
            weight=float(state["weight"]),
            seconds=float(state["seconds"]),
        )
        saved = state["loader"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(f"{folder / LAST} is of another model: {error}; start a new run") from error
    if saved != fingerprint:
        raise RunError(
            f"{folder / LAST} is in epoch {progress.epoch + 1} of a run with another store, split, set of "
            "views or batch size; resume it with the original ones, or start a new run"
        )
    return progress


def read_history(folder: Path) -> list[AnyEpochResult]:
    """Read the history of ``last.safetensors``; empty if there is no such file.

    Raises :class:`RunError` if the file is damaged or lost.
    """
    if not _has_last(folder):
        return []
    return _history(folder, _read(folder / LAST)[1])


def load_best(folder: Path, model: nn.Module) -> int:
    """Load ``best.safetensors`` into ``model`` and return its epoch.

    Raises :class:`RunError` if the file is missing, damaged or of another model.
    """
    tensors, state = _read(folder / BEST)
    try:
        model.load_state_dict(_part(tensors, "model"))
        return int(state["epoch"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{folder / BEST} is of another model: {error}; start a new run") from error


def is_intact(path: Path) -> bool:
    """Whether the checkpoint at ``path`` can be read and its content has the hash that it announces."""
    try:
        _read(path)
    except RunError:
        return False
    return True


def _history(folder: Path, state: Mapping[str, Any]) -> list[AnyEpochResult]:
    try:
        return [_epoch_result(row) for row in state["history"]]
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder / LAST} has no valid history: {error!r}; start a new run") from error


def _epoch_result(row: Mapping[str, Any]) -> AnyEpochResult:
    if "validation_ccc" in row:
        return DimensionEpochResult(
            epoch=row["epoch"],
            train_loss=row["train_loss"],
            validation_loss=row["validation_loss"],
            validation_ccc=row["validation_ccc"],
            validation_rmse=row["validation_rmse"],
            learning_rate=row["learning_rate"],
            seconds=row["seconds"],
            best=row["best"],
        )
    return EpochResult(
        epoch=row["epoch"],
        train_loss=row["train_loss"],
        validation_loss=row["validation_loss"],
        validation_ua=row["validation_ua"],
        validation_wa=row["validation_wa"],
        learning_rate=row["learning_rate"],
        seconds=row["seconds"],
        best=row["best"],
    )


def _has_last(folder: Path) -> bool:
    """Whether anything was saved. ``best`` is written after ``last``: alone, it means ``last`` is lost."""
    if (folder / LAST).exists():
        return True
    if (folder / BEST).exists():
        raise RunError(
            f"{folder / LAST} is missing, although {BEST} next to it shows that the run had begun; "
            "restore it, or start a new run"
        )
    return False


def _with_prefix(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for key, tensor in tensors.items()}


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors whose key starts with ``name.``, by the rest of the key."""
    return {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as ``adam.<parameter>.<name>``."""
    return {
        f"adam.{parameter}.{name}": tensor
        for parameter, slots in optimizer.state_dict()["state"].items()
        for name, tensor in slots.items()
    }


def _load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], rates: list[float]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "adam").items():
        index, _, slot = name.partition(".")
        like = parameters[int(index)]
        # Moments must have the memory layout of their parameter (channels last): fused Adam needs that.
        moment = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        slots.setdefault(int(index), {})[slot] = moment
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    state = {**state, checkpoint_hash.KEY: checkpoint_hash.hash_of(plain, state)}
    write_durably(path, save(plain, metadata={"state": json.dumps(state, allow_nan=False)}))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            state = dict(json.loads((file.metadata() or {})["state"]))
        _require_intact(path, tensors, state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"cannot read {path} ({error}); start a new run") from error
    return tensors, state


def _require_intact(path: Path, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Raise :class:`RunError` if a checkpoint changed since it was written; old ones without a hash pass.

    An old state has the known keys and no others: a changed bit can damage the key of the hash, but not
    remove it.
    """
    if set(state) == _STATES[path.name]:
        return
    announced = state.get(checkpoint_hash.KEY)
    found = checkpoint_hash.hash_of(tensors, state)
    if announced != found:
        raise RunError(
            f"{path} was changed since it was written: its content has SHA-256 {found[:12]}…, but it "
            f"announces {str(announced)[:12]}…; restore it from a copy, or start a new run"
        )
