"""Checkpoints: all that a training needs to go on as if it had never stopped.

``last.safetensors`` alone is the truth: weights, the best epoch's weights, Adam's moments and generator
states are its body, the rest is JSON in its header, under ``state``. Being one file that is renamed into
place, it cannot be half of one epoch and half of another. ``best.safetensors`` is a part of it, written
after it and again when a run is resumed, for those who want to predict. There is no pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from featurestore.durable import write_durably
from schemas.errors import RunError
from training.observer import EpochResult

LAST, BEST = "last.safetensors", "best.safetensors"

_PLATEAU_KEYS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
"""What of a ReduceLROnPlateau changes during training."""


@dataclass
class Progress:
    """How far a training has come. ``history`` has one entry a finished epoch.

    ``best_weights`` is the state of the model, on the CPU, after the best of these epochs.
    """

    history: list[EpochResult] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def add(self, result: EpochResult, model: nn.Module) -> None:
        """Take up one more epoch, after which ``model`` is as it is now."""
        self.history.append(result)
        if result.best:
            self.best_weights = {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    @property
    def best(self) -> EpochResult | None:
        """The epoch of the lowest validation loss, the first of equals."""
        return min(self.history, key=lambda result: result.validation_loss, default=None)

    @property
    def epochs_without_better(self) -> int:
        """Epochs since the best one."""
        return self.epoch - self.best.epoch if self.best else 0

    def exhausted(self, patience: int | None) -> bool:
        """Whether ``patience`` epochs in a row were not better; never where it is None."""
        return patience is not None and self.epochs_without_better >= patience


@dataclass(frozen=True)
class Trainee:
    """What changes in training, and is saved."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: ReduceLROnPlateau


def save_last(folder: Path, trainee: Trainee, progress: Progress) -> None:
    """Write ``last.safetensors``: model, best weights, optimiser, scheduler, generators, history."""
    moments, groups = _optimizer_state(trainee.optimizer)
    tensors = {
        **{f"model.{name}": tensor for name, tensor in trainee.model.state_dict().items()},
        **{f"best.{name}": tensor for name, tensor in progress.best_weights.items()},
        **moments,
        **_generator_states(trainee.model),
    }
    scheduler = trainee.scheduler.state_dict()
    state = {
        "epoch": progress.epoch,
        "history": [asdict(result) for result in progress.history],
        "scheduler": {key: scheduler[key] for key in _PLATEAU_KEYS},
        "learning_rates": [group["lr"] for group in groups],
    }
    _write(folder / LAST, tensors, state)


def save_best(folder: Path, progress: Progress) -> None:
    """Write ``best.safetensors``: the best weights alone, and their epoch; nothing before epoch 1."""
    if progress.best is None:
        return
    tensors = {f"model.{name}": tensor for name, tensor in progress.best_weights.items()}
    state = {"epoch": progress.best.epoch, "validation_loss": progress.best.validation_loss}
    _write(folder / BEST, tensors, state)


def resume_last(folder: Path, trainee: Trainee) -> Progress:
    """Put ``last.safetensors`` into ``trainee`` and torch's generators; a new Progress if there is none.

    Raises :class:`RunError` where the file is damaged, of another model, or lost.
    """
    if not _has_last(folder):
        return Progress()
    tensors, state = _read(folder / LAST)
    try:
        best_weights = _part(tensors, "best")
        trainee.model.load_state_dict(best_weights)  # only to see that they fit
        trainee.model.load_state_dict(_part(tensors, "model"))
        _load_optimizer(trainee.optimizer, tensors, state["learning_rates"])
        trainee.scheduler.load_state_dict({**state["scheduler"], "_last_lr": state["learning_rates"]})
        torch.set_rng_state(tensors["generator.cpu"])
        if "generator.cuda" in tensors and any(p.is_cuda for p in trainee.model.parameters()):
            torch.cuda.set_rng_state(tensors["generator.cuda"])
        return Progress(_history(folder, state), best_weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise RunError(f"{folder / LAST} is of another model: {error}; start a new run") from error


def read_history(folder: Path) -> list[EpochResult]:
    """History in ``last.safetensors``; empty if there is none.

    Raises :class:`RunError` where the file is damaged or lost.
    """
    if not _has_last(folder):
        return []
    return _history(folder, _read(folder / LAST)[1])


def load_best(folder: Path, model: nn.Module) -> int:
    """Put ``best.safetensors`` into ``model``; the epoch it is of.

    Raises :class:`RunError` where the file is missing, damaged or of another model.
    """
    tensors, state = _read(folder / BEST)
    try:
        model.load_state_dict(_part(tensors, "model"))
        return int(state["epoch"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{folder / BEST} is of another model: {error}; start a new run") from error


def _history(folder: Path, state: Mapping[str, Any]) -> list[EpochResult]:
    try:
        return [EpochResult(**row) for row in state["history"]]
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder / LAST} holds no history: {error!r}; start a new run") from error


def _has_last(folder: Path) -> bool:
    """Whether anything was saved. ``best`` is written after ``last``: alone, it tells of a lost ``last``."""
    if (folder / LAST).exists():
        return True
    if (folder / BEST).exists():
        raise RunError(
            f"{folder / LAST} is gone, though {BEST} beside it shows that the run had begun; "
            "put it back, or start a new run"
        )
    return False


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors under ``name.``, by what follows it."""
    return {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}


def _optimizer_state(optimizer: Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Adam's tensors as ``adam.<parameter>.<name>``, and the parameter groups."""
    state = optimizer.state_dict()
    moments = {
        f"adam.{parameter}.{name}": tensor
        for parameter, slots in state["state"].items()
        for name, tensor in slots.items()
    }
    return moments, state["param_groups"]


def _load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], rates: list[float]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind != "adam":
            continue
        index, _, slot = rest.partition(".")
        like = parameters[int(index)]
        # Moments must lie in memory as their parameter does (channels last): Adam's fused loop walks both.
        moment = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        slots.setdefault(int(index), {})[slot] = moment
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _generator_states(model: nn.Module) -> dict[str, Tensor]:
    """States of the generators that draw for ``model`` where it is."""
    states = {"generator.cpu": torch.get_rng_state()}
    if any(parameter.is_cuda for parameter in model.parameters()):
        states["generator.cuda"] = torch.cuda.get_rng_state()
    return states


def _write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_durably(path, save(plain, metadata={"state": json.dumps(state, allow_nan=False)}))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            state = json.loads((file.metadata() or {})["state"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); start a new run") from error
    return tensors, state
