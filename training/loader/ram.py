"""Source that holds all its samples in memory, or on the training device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from training.loader.order import Order, Position
from training.loader.source import WHOLE, Batch, Share
from training.loader.stream import StreamSource
from training.loader.wire import Wire

_READ_AT_ONCE = 1024
"""Samples read at a time; 45 MB at 170 × 130 float16."""


class RamSource:
    """A source with samples in memory: ``features`` (n, C, T), ``valid_frames`` (n,) int64, ``targets``.

    The features may be in CPU memory while training runs on a GPU; they are then copied batch by batch.
    """

    def __init__(self, features: Tensor, valid_frames: Tensor, targets: Tensor, device: torch.device) -> None:
        self.features = features
        self.valid_frames = valid_frames.to(device)
        self.targets = targets.to(device)
        self.device = self.targets.device  # with its number, as that of the features has
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
        valid_frames = torch.empty(len(stream), dtype=torch.int64)
        start = 0
        for batch in stream.in_order(_READ_AT_ONCE):
            part = slice(start, start + batch.total)
            features[part] = batch.features.squeeze(1).to(home)
            valid_frames[part] = batch.valid_frames
            loaded(batch.total)
            start = part.stop
        return cls(features, valid_frames, stream.targets, device)

    def __len__(self) -> int:
        return len(self.features)

    def batches(self, order: Order, position: Position, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's share of the batches of an epoch, from ``position`` on.

        The order of the whole epoch is sent to the device once: it would wait for each batch's part.
        """
        epoch = order.epoch(position.seed, position.epoch)
        at = torch.from_numpy(epoch.samples)
        on_device = at.to(self.device)
        for start, stop in pairwise(epoch.batches[position.batch :].tolist()):
            own = slice(start + share.rank, stop, share.world)
            yield self._gather(at[own], on_device[own], stop - start)

    def in_order(self, batch_size: int, share: Share = WHOLE) -> Iterator[Batch]:
        """Yield this rank's batches of all samples in their own order."""
        for start in range(share.rank * batch_size, len(self), share.world * batch_size):
            stop = min(start + batch_size, len(self))
            at, on_device = (torch.arange(start, stop, device=device) for device in (_CPU, self.device))
            yield self._gather(at, on_device, stop - start)

    def _gather(self, at: Tensor, on_device: Tensor, total: int) -> Batch:
        """Samples ``at`` (B,) on the training device, in that order; ``on_device`` is ``at`` there."""
        if self.features.device == self.device:
            features = self.features.index_select(0, on_device).unsqueeze(1)
        else:
            target = self._wire.target(len(at))
            torch.index_select(self.features, 0, at, out=target)
            features = self._wire.send(target)
        return Batch(
            features=features,
            valid_frames=self.valid_frames.index_select(0, on_device),
            targets=self.targets.index_select(0, on_device),
            total=total,
        )


_CPU = torch.device("cpu")
