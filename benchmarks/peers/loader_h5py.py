"""A PyTorch DataLoader over one uncompressed HDF5 file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from loader_data import BATCH, Data
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

NAME = "h5py"
DOES = "Permutation of everything; one contiguous array (sample, coefficient, frame) float16, not compressed."
FILES = "samples.h5"


def write(data: Data, folder: Path) -> None:
    """Write the samples."""
    with h5py.File(folder / FILES, "w") as file:
        features = file.create_dataset("features", (len(data.samples), *data.shape), "float16")
        for index, array in data.arrays():
            features[index] = array


class Rows(Dataset[tuple[Tensor, int]]):
    """Reads row by row; each worker opens the file itself."""

    def __init__(self, path: Path, shape: tuple[int, int], count: int) -> None:
        self.path, self.shape, self.count = path, shape, count
        self.features: h5py.Dataset | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if self.features is None:
            self.features = h5py.File(self.path, "r")["features"]
        row = np.empty(self.shape, np.float16)
        self.features.read_direct(row, np.s_[index])
        return torch.from_numpy(row)[None], index


class Epochs:
    """Epochs of batches, as in :mod:`peers.loader_ours`."""

    def __init__(self, data: Data, folder: Path, workers: int) -> None:
        rows = Rows(folder / FILES, data.shape, len(data.samples))
        self.loader = DataLoader(
            rows, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )

    def __call__(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch."""
        del epoch
        yield from self.loader
