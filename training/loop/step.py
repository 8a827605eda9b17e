"""One training step: normalise, augment, forward, loss, backward, update.

All random numbers of a step (masks, mixtures, dropout) come from generators that are seeded by (seed, epoch,
batch) at its start. So a step depends on earlier steps only through the weights, and training can resume at
any batch as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from schemas.training import TrainSpec
from training.loader.order import Position
from training.loader.source import Batch
from training.loop.augment import Augment
from training.loop.checkpoint import Trainee
from training.loop.concordance import DimensionLoss
from training.loop.fabric import share_of, sum_over_ranks
from training.loop.loss import Loss
from training.loop.normalise import Normaliser
from training.models.row_share import share_rows

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(eq=False)
class Step:
    """A training step; ``runner`` and ``stepper`` are Fabric's model and optimiser."""

    fabric: Fabric
    runner: nn.Module
    stepper: Optimizer
    trainee: Trainee
    normaliser: Normaliser
    augment: Augment
    loss: Loss | DimensionLoss
    spec: TrainSpec

    def __call__(self, batch: Batch, position: Position, epoch_share: float) -> tuple[Tensor, Tensor]:
        """Train on ``batch``; return the weighted sum of losses over all ranks, and the sum of weights.

        ``epoch_share``, 0…1, is the fraction of the epoch that is done before this step.
        """
        torch.manual_seed(step_seed(position))
        self.trainee.schedule.step_batch(position.epoch + epoch_share)
        summed, weight = self.learn(batch)
        if self.trainee.average is not None:
            self.trainee.average.update(self.trainee.model)
        return summed, weight

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Update the weights on ``batch``, with the current learning rate and random generators.

        Returns the same as the step. Never waits for the device.
        """
        share = share_of(self.fabric)
        rows = (batch.total, share.rank, share.world)
        if share.world > 1:
            share_rows(self.trainee.model, *rows)
        features = self.normaliser(batch.features, batch.valid_frames)
        features, valid_frames, targets = self.augment(features, batch.valid_frames, batch.targets, rows)
        summed, weight = self.loss(self.runner(features, valid_frames), targets)
        all_weight = sum_over_ranks(self.fabric, weight.detach())
        self.stepper.zero_grad()
        # Gradients are averaged over the ranks; the loss is a mean over the batch of all ranks.
        self.fabric.backward(summed * (share.world / all_weight))
        if (limit := self.spec.gradient_clip) is not None:
            # A gradient that is not finite shows in the loss, which is checked once per epoch.
            self.fabric.clip_gradients(self.runner, self.stepper, max_norm=limit, error_if_nonfinite=False)
        self.stepper.step()
        return sum_over_ranks(self.fabric, summed.detach()), all_weight


def step_seed(position: Position) -> int:
    """Seed of the random numbers of one step."""
    key = json.dumps(["training step", position.seed, position.epoch, position.batch]).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1
