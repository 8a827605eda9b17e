"""WebDataset: tar files of single samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import webdataset
from loader_data import BATCH, WINDOW, Data
from torch import Tensor
from torch.utils.data import DataLoader

NAME = "WebDataset"
DOES = "Shards of 1,024 samples (45 MB) permuted, then a buffer of 8,192 samples, shared out to workers; raw."
FILES = "tar"


def write(data: Data, folder: Path) -> None:
    """Write the samples."""
    (folder / FILES).mkdir()
    with webdataset.ShardWriter(f"{folder / FILES}/%05d.tar", maxcount=1024, verbose=0) as sink:
        for index, array in data.arrays():
            sink.write({"__key__": f"{index:09d}", "bin": array.tobytes(), "cls": str(index).encode()})


class Decode:
    """Convert the bytes of a sample to a tensor."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape

    def __call__(self, sample: tuple[bytes, bytes]) -> tuple[Tensor, int]:
        """Features (1, C, T) and index."""
        values = np.frombuffer(bytearray(sample[0]), np.float16).reshape(1, *self.shape)
        return torch.from_numpy(values), int(sample[1])


def collate(samples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """One batch."""
    return torch.stack([features for features, _ in samples]), torch.tensor([index for _, index in samples])


class Epochs:
    """Epochs of batches, as in :mod:`peers.loader_ours`."""

    def __init__(self, data: Data, folder: Path, workers: int) -> None:
        shards = sorted(str(path) for path in (folder / FILES).glob("*.tar"))
        size = WINDOW // max(1, workers)
        samples = (
            webdataset.WebDataset(shards, shardshuffle=len(shards), nodesplitter=webdataset.split_by_node)
            .shuffle(size, initial=size)
            .to_tuple("bin", "cls")
            .map(Decode(data.shape))
            .batched(BATCH, collation_fn=collate)
        )
        self.loader = DataLoader(
            samples, batch_size=None, num_workers=workers, persistent_workers=workers > 0
        )

    def __call__(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of an epoch."""
        del epoch
        yield from self.loader
