"""Optimiser and learning rate.

The rate of a step depends only on the number of finished epochs (including the fraction of the current one)
and on the validation losses so far. A resumed training therefore continues at the same rate. If the
validation clips are trained on, as after a search, training losses take the place of validation losses.

``plateau``: an epoch is better if its validation loss is lower than that of every earlier epoch, by any
amount. After ``lr_patience`` + 1 consecutive epochs that are not better, the rate is multiplied by
``lr_factor`` from the next epoch on, and the count restarts. With an ``lr_patience`` of 2, the third such
epoch is the last one at the old rate. This equals torch's ``ReduceLROnPlateau`` with ``threshold=0, eps=0``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from schemas.training import TrainSpec


def optimiser_of(model: nn.Module, spec: TrainSpec) -> Optimizer:
    """Optimiser over the trainable parameters of ``model``, on their device.

    adam: the L2 penalty applies to all of them. adamw: weights of matrices and convolutions decay; biases and
    normalisation layers (parameters with fewer than two dimensions) do not, as is customary.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if spec.optimiser == "adam":
        return torch.optim.Adam(trained, lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": spec.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=spec.lr, fused=True)


class Schedule:
    """Sets the learning rate of an optimiser before each step."""

    def __init__(self, optimiser: Optimizer, spec: TrainSpec) -> None:
        self._optimiser = optimiser
        self._spec = spec
        self._losses: list[float] = []
        self._plateau = spec.lr

    def step_batch(self, epochs: float) -> None:
        """Set the rate of the next step; ``epochs`` are done, including the fraction of the current one."""
        rate = self._plateau
        if self._spec.schedule == "cosine":
            rate = cosine_rate(self._spec, epochs)
        for group in self._optimiser.param_groups:
            if isinstance(group["lr"], Tensor):  # the optimiser is captured in a CUDA graph
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def epoch_done(self, loss: float) -> None:
        """Record the loss of an epoch that ``plateau`` follows."""
        self._take((*self._losses, loss))

    def to_json(self) -> dict[str, Any]:
        """State for :meth:`load`, as plain numbers."""
        return {"validation_losses": list(self._losses)}

    def load(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`to_json`. Raises :class:`KeyError` or :class:`ValueError`."""
        self._take(float(loss) for loss in state["validation_losses"])

    def _take(self, losses: Iterable[float]) -> None:
        self._losses = list(losses)
        if self._spec.schedule == "plateau":
            self._plateau = plateau_rate(self._spec, self._losses)


def schedule_of(optimiser: Optimizer, spec: TrainSpec) -> Schedule:
    """Learning-rate schedule of ``spec``."""
    return Schedule(optimiser, spec)


def cosine_rate(spec: TrainSpec, epochs: float) -> float:
    """Rate after ``epochs``: linear from 0 over ``warmup``, then half a cosine to 0 at ``spec.epochs``."""
    if epochs < spec.warmup:
        return spec.lr * epochs / spec.warmup
    share = min(1.0, (epochs - spec.warmup) / (spec.epochs - spec.warmup))
    return spec.lr * (1 + math.cos(math.pi * share)) / 2


def plateau_rate(spec: TrainSpec, losses: Sequence[float]) -> float:
    """Rate after epochs with these validation ``losses``."""
    rate, lowest, in_a_row = spec.lr, math.inf, 0
    for loss in losses:
        if loss < lowest:
            lowest, in_a_row = loss, 0
        else:
            in_a_row += 1
        if in_a_row > spec.lr_patience:
            rate, in_a_row = rate * spec.lr_factor, 0
    return rate
