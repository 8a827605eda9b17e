"""The loader of this project on the store itself, by home: ``ram`` or ``stream``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from loader_data import BATCH, FEATURES, Data
from torch import Tensor

from training.loader.open import open_source
from training.loader.order import Order, Position

NAME = "ours"
DOES = "Chunks permuted, samples permuted in windows of 256 chunks; every object hashed when first read."
FILES = None
"""It reads the store itself."""


class Epochs:
    """Epochs of batches: features (B, 1, C, T) float16 and indices (B,)."""

    def __init__(self, data: Data, folder: Path, workers: int, home: str = "stream") -> None:
        del folder, workers
        self.order = Order.of(data.store, data.samples, BATCH)
        self.source = open_source(data.store, data.samples, FEATURES, home, torch.device("cpu"))  # type: ignore[arg-type]

    def __call__(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch."""
        for batch in self.source.batches(self.order, Position(0, epoch)):
            yield batch.features, batch.targets
