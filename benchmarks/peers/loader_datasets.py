"""Hugging Face datasets: memory-mapped Arrow, in torch's format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Array2D, Dataset, Features, Value, load_from_disk
from loader_data import BATCH, Data
from torch import Tensor
from torch.utils.data import DataLoader

NAME = "Hugging Face datasets"
DOES = "Permutation of everything; Array2D float16 in Arrow, raw, format torch, asked for in whole batches."
FILES = "arrow"


def write(data: Data, folder: Path) -> None:
    """Write the samples."""
    kinds = Features({"features": Array2D(data.shape, "float16"), "index": Value("int64")})

    def rows() -> Iterator[dict[str, Any]]:
        for index, array in data.arrays():
            yield {"features": array, "index": index}

    made = Dataset.from_generator(
        rows, features=kinds, cache_dir=str(folder / "cache"), writer_batch_size=256
    )
    made.save_to_disk(folder / FILES)


class Epochs:
    """Epochs of batches, as in :mod:`peers.loader_ours`."""

    def __init__(self, data: Data, folder: Path, workers: int) -> None:
        del data
        rows = load_from_disk(folder / FILES).with_format("torch", dtype=torch.float16)
        self.loader = DataLoader(
            rows, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )

    def __call__(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch."""
        del epoch
        for batch in self.loader:
            yield batch["features"].unsqueeze(1), batch["index"].long()
