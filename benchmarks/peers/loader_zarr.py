"""A simple PyTorch DataLoader over the Zarr arrays, one sample at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import zarr
from loader_data import BATCH, FEATURES, Data
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

NAME = "DataLoader over Zarr, sample by sample"
DOES = "Permutation of everything; each sample decodes its chunk of 32; zarrs; workers are spawned."
FILES = None


class Clips(Dataset[tuple[Tensor, int]]):
    """Sample by sample from the store's arrays."""

    def __init__(self, data: Data) -> None:
        manifest = data.store.manifest
        self.folder = str(data.store.objects.folder)
        self.corpora = manifest["dataset"].to_numpy()[data.samples.clips].tolist()
        self.rows = manifest["row"].to_numpy()[data.samples.clips].tolist()
        self.views = data.samples.views.tolist()
        self.root: zarr.Group | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if self.root is None:
            zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
            self.root = zarr.open_group(self.folder, mode="r")
        corpus, view, row = self.corpora[index], self.views[index], self.rows[index]
        parts = [np.asarray(self.root[f"{corpus}/{name}"][view, row]) for name in FEATURES]
        return torch.from_numpy(np.concatenate(parts))[None], index


class Epochs:
    """Epochs of batches, as in :mod:`peers.loader_ours`."""

    def __init__(self, data: Data, folder: Path, workers: int) -> None:
        del folder
        self.loader = DataLoader(
            Clips(data), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,
        )  # fmt: skip

    def __call__(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch."""
        del epoch
        yield from self.loader
