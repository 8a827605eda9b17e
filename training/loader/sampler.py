"""What to read, and when: the order of samples, a pure function of (seed, epoch, store digest).

::

    epoch 0   seed ─┐
              0 ────┼─▶ blake2b ─▶ Philox ─▶ permutation of 0…n−1 ─▶ cut into batches
              digest┘

Nothing else enters: not the device, the source, the number of workers, nor what was read before. So
an epoch can be entered at any batch, and every source reads the same samples. numpy alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Position:
    """Where reading stands: batch ``batch`` of epoch ``epoch`` is next."""

    seed: int
    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Sampler:
    """Batches of sample indices in 0…``count`` − 1; the last batch of an epoch may be smaller."""

    count: int
    batch_size: int
    store_digest: str

    def __len__(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self.count / self.batch_size)

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """(count,) int64: every sample once, in the order of epoch ``epoch``."""
        key = hashlib.blake2b(
            json.dumps(["training order", seed, epoch, self.store_digest]).encode(), digest_size=16
        ).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
        return generator.permutation(self.count)

    def batches(self, position: Position) -> Iterator[NDArray[np.int64]]:
        """The batches of an epoch, (batch_size,) int64 each, from ``position`` on."""
        order = self.order(position.seed, position.epoch)
        for start in range(position.batch * self.batch_size, self.count, self.batch_size):
            yield order[start : start + self.batch_size]


def in_order(count: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """All samples as they stand, in batches of (batch_size,) int64, for validation and test."""
    for start in range(0, count, batch_size):
        yield np.arange(start, min(start + batch_size, count))
