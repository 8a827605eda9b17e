"""How samples are read: the contract that every source fulfils."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples on the training device.

    ``features`` (B, 1, C, T) in the store's dtype, ``valid_frames`` (B,) int64, ``targets`` (B,) int64.
    """

    features: Tensor
    valid_frames: Tensor
    targets: Tensor


class Source(Protocol):
    """The samples of one side of a split, by index."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def gather(self, indices: NDArray[np.int64]) -> Batch:
        """Samples ``indices`` (B,), in that order."""
        ...
