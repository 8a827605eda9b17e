"""LitData: its own chunks, read by its StreamingDataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import litdata
import numpy as np
import torch
from litdata.streaming import Cache
from loader_data import BATCH, Data
from torch import Tensor

NAME = "LitData"
DOES = "Chunks of 64 MB (1,448 samples) permuted, samples permuted within a chunk alone; not compressed."
FILES = "litdata"


def write(data: Data, folder: Path) -> None:
    """Write the samples."""
    cache = Cache(str(folder / FILES), chunk_bytes="64MB")
    for index, array in data.arrays():
        cache[index] = {"features": torch.from_numpy(np.ascontiguousarray(array)), "index": index}
    cache.done()
    cache.merge()


class Epochs:
    """Epochs of batches, as in :mod:`peers.loader_ours`."""

    def __init__(self, data: Data, folder: Path, workers: int) -> None:
        del data
        samples = litdata.StreamingDataset(str(folder / FILES), shuffle=True)
        self.loader = litdata.StreamingDataLoader(
            samples, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0
        )

    def __call__(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch."""
        del epoch
        for batch in self.loader:
            yield batch["features"].unsqueeze(1), batch["index"]
