"""Training as in tutorials: textbook modules, eager float32, a DataLoader that reads sample by sample.

The networks are those of the published systems: convolution, batch norm, ReLU, max-pool and dropout in the
order that each states, memory as torch lays it out by default, ``nn.LSTM(bidirectional=True)``. They
ignore padding, so they do less than ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, repeat
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import zarr
from batch_clock import BatchClock
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from schemas.architecture import CnnBiLstmSpec, CnnSpec
from schemas.named_models import MODELS

NAME = "plain PyTorch"


class StoreDataset(Dataset[tuple[Tensor, int]]):
    """Every view of every clip of the store's one corpus, standardised: (1, C, T) float32 and a class."""

    def __init__(self, store: Path, features: tuple[str, ...]) -> None:
        manifest = pd.read_parquet(store / "manifest.parquet")
        corpus = manifest["dataset"].iloc[0]
        self.targets, names = pd.factorize(manifest.sort_values("row")["emotion"], sort=True)
        self.classes = len(names)
        self.arrays = [zarr.open_array(store / corpus / feature, mode="r") for feature in features]
        self.views, self.clips = self.arrays[0].shape[:2]
        some = np.nan_to_num(np.stack([self._read(i) for i in range(0, len(self), len(self) // 32)]))
        self.mean = some.mean(axis=(0, 2))[:, None]
        self.deviation = some.std(axis=(0, 2))[:, None] + 1e-6

    def __len__(self) -> int:
        return int(self.views * self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        x = np.nan_to_num((self._read(index) - self.mean) / self.deviation)
        return torch.from_numpy(x)[None], int(self.targets[index % self.clips])

    def _read(self, index: int) -> np.ndarray:
        view, clip = divmod(index, self.clips)
        return np.concatenate([array[view, clip] for array in self.arrays]).astype(np.float32)


def convolutions(spec: CnnBiLstmSpec | CnnSpec) -> nn.Sequential:
    """Blocks of convolution 3×3 and what the published system has after it, one layer each."""
    # Ours pools first if the published order is not stated; textbooks normalise first, then pool.
    steps = ("norm", "relu", "pool", "dropout") if spec.block[0] == "pool" else spec.block
    layers: list[nn.Module] = []
    for inputs, outputs, pool in zip((1, *spec.channels), spec.channels, spec.pools, strict=False):
        after = {
            "norm": nn.BatchNorm2d(outputs),
            "relu": nn.ReLU(),
            "pool": nn.MaxPool2d(pool),
            "dropout": nn.Dropout2d(spec.block_dropout),
        }
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), *(after[step] for step in steps)]
    return nn.Sequential(*layers)


class PlainCnnBiLstm(nn.Module):
    """Convolutions, bidirectional LSTM, pooling over time, dense layers; (B, 1, C, T) → (B, classes)."""

    def __init__(self, spec: CnnBiLstmSpec, coefficients: int, classes: int) -> None:
        super().__init__()
        self.convolutions = convolutions(spec)
        for pool in spec.pools:
            coefficients //= pool[0]
        inputs = spec.channels[-1] * coefficients
        self.lstm = nn.LSTM(inputs, spec.hidden, spec.layers, batch_first=True, bidirectional=True)
        self.pooling = spec.pooling
        self.sequence_dropout = nn.Dropout(spec.sequence_dropout)
        self.score = nn.Linear(2 * spec.hidden, 1) if spec.pooling == "attention" else None
        widths = (2 * spec.hidden, *spec.dense)
        self.dense = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.dropout = nn.Dropout(spec.dropout)
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes) of (B, 1, C, T)."""
        x = self.convolutions(x).permute(0, 3, 1, 2).flatten(2)
        states, (last, _) = self.lstm(x)
        states = self.sequence_dropout(states)
        if self.pooling == "last":
            pooled = torch.cat((last[-2], last[-1]), dim=1)
        elif self.score is None:
            pooled = states.mean(dim=1)
        else:
            pooled = (states * self.score(states).softmax(dim=1)).sum(dim=1)
        for dense in self.dense:
            pooled = functional.relu(dense(pooled))
        logits: Tensor = self.output(self.dropout(pooled))
        return logits


def plain_cnn(spec: CnnSpec, coefficients: int, frames: int, classes: int) -> nn.Sequential:
    """Convolutions, flattening, dense layers with batch norm, ReLU and dropout."""
    for pool in spec.pools:
        coefficients, frames = coefficients // pool[0], frames // pool[1]
    widths = (spec.channels[-1] * coefficients * frames, *spec.dense)
    dense = [
        layer
        for inputs, outputs in pairwise(widths)
        for layer in (
            nn.Linear(inputs, outputs),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
            nn.Dropout(spec.dropout),
        )
    ]
    return nn.Sequential(convolutions(spec), nn.Flatten(), *dense, nn.Linear(widths[-1], classes))


def network(model: str, data: StoreDataset) -> nn.Module:
    """The textbook module of a named model, for the dataset's samples."""
    torch.manual_seed(0)
    spec = MODELS[model]
    coefficients, frames = data[0][0].shape[1:]
    if isinstance(spec, CnnBiLstmSpec):
        return PlainCnnBiLstm(spec, coefficients, data.classes)
    if isinstance(spec, CnnSpec):
        return plain_cnn(spec, coefficients, frames, data.classes)
    raise ValueError(f"{model} is not a network")


def loader(data: StoreDataset, batch_size: int, workers: int, device: torch.device) -> DataLoader:
    """Shuffled batches with persistent workers, and pinned memory for a GPU."""
    return DataLoader(
        data,
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )


def seconds_a_batch(
    model: str,
    store: Path,
    features: tuple[str, ...],
    batch_size: int,
    workers: int,
    device: torch.device,
    clock: BatchClock,
) -> float:
    """Samples per second of eager training with Adam."""
    data = StoreDataset(store, features)
    net = network(model, data).to(device).train()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    clock.go()
    for batch in _endless(loader(data, batch_size, workers, device)):
        x, target = (tensor.to(device, non_blocking=True) for tensor in batch)
        optimiser.zero_grad()
        functional.cross_entropy(net(x), target).backward()
        optimiser.step()
        clock.batch_done()
        if clock.full:
            break
    return clock.seconds / clock.timed


def _endless(batches: DataLoader) -> Iterator[tuple[Tensor, Tensor]]:
    for epoch in repeat(batches):
        yield from epoch
