"""The plain version's network and loader under Lightning's Trainer."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from batch_clock import BatchClock
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional

from peers.train_plain import StoreDataset, loader, network

NAME = "lightning's Trainer"


class PlainModule(LightningModule):
    """A network with cross-entropy and Adam."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Mean cross-entropy of a batch."""
        x, target = batch
        return functional.cross_entropy(self.net(x), target)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.net.parameters(), lr=1e-3)


class Clocked(Callback):
    """Counts batches."""

    def __init__(self, clock: BatchClock) -> None:
        self.clock = clock

    def on_train_batch_end(self, *_: Any) -> None:
        """Count."""
        self.clock.batch_done()


def seconds_a_batch(
    model: str,
    store: Path,
    features: tuple[str, ...],
    batch_size: int,
    workers: int,
    device: torch.device,
    clock: BatchClock,
) -> float:
    """Samples per second of a Trainer that does not log, validate or save."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    data = StoreDataset(store, features)
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=-1,
        max_steps=clock.warm_up + clock.batches,
        callbacks=[Clocked(clock)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(PlainModule(network(model, data)), loader(data, batch_size, workers, device))
    return clock.seconds / clock.timed
