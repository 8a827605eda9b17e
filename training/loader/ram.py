"""Source that holds all its samples in memory, or on the training device."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.loader.order import Order, Position
from training.loader.source import WHOLE, Batch, Share
from training.loader.stream import StreamSource
from training.loader.wire import Wire

_READ_AT_ONCE = 1024
"""Samples read at a time; 45 MB at 170 × 130 float16."""


class RamSource:
    """A source with samples in memory: ``features`` (n, C, T), ``valid_frames`` and ``targets`` (n,) int64.

    The features may be in CPU memory while training runs on a GPU; they are then copied batch by batch.
    """

    def __init__(self, features: Tensor, valid_frames: Tensor, targets: Tensor, device: torch.device) -> None:
        self.features = features
        self.valid_frames = valid_frames.to(device)
        self.targets = targets.to(device)
        self.device = device
        self._wire = Wire((features.shape[1], features.shape[2]), features.dtype, device)

    @classmethod
    def read(
        cls,
        stream: StreamSource,
        home: torch.device,
        device: torch.device,
        loaded: Callable[[int], None] = lambda _: None,
    ) -> RamSource:
        """Read all of ``stream``, whose batches are in CPU memory, to ``home``, for batches on ``device``.

        ``loaded`` is called with the number of samples after each block of 1,024. Raises what ``stream``
        raises.
        """
        features = torch.empty((len(stream), *stream.shape), dtype=stream.dtype, device=home)
        valid_frames, targets = (torch.empty(len(stream), dtype=torch.int64) for _ in range(2))
        start = 0
        for batch in stream.in_order(_READ_AT_ONCE):
            part = slice(start, start + batch.total)
            features[part] = batch.features.squeeze(1).to(home)
            valid_frames[part], targets[part] = batch.valid_frames, batch.targets
            loaded(batch.total)
            start = part.stop
        return cls(features, valid_frames, targets, device)

    def __len__(self) -> int:
        return len(self.features)

    def batches(self, order: Order, position: Position, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's share of the batches of an epoch, from ``position`` on."""
        for indices in order.batches(position):
            yield self.gather(share.of(indices), len(indices))

    def in_order(self, batch_size: int, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's batches of all samples in their own order."""
        for start in range(share.rank * batch_size, len(self), share.world * batch_size):
            yield self.gather(np.arange(start, min(start + batch_size, len(self))))

    def gather(self, indices: NDArray[np.int64], total: int | None = None) -> Batch:
        """Samples ``indices`` (B,) on the training device, in that order; if ``total`` is None, it is B."""
        at = torch.from_numpy(indices)
        on_device = at.to(self.device)
        if self.features.device == self.device:
            features = self.features.index_select(0, on_device).unsqueeze(1)
        else:
            target = self._wire.target(len(indices))
            torch.index_select(self.features, 0, at, out=target)
            features = self._wire.send(target)
        return Batch(
            features=features,
            valid_frames=self.valid_frames.index_select(0, on_device),
            targets=self.targets.index_select(0, on_device),
            total=len(indices) if total is None else total,
        )
