"""Features of clips in host memory. Without torch, which processes that only read samples do not load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class FeatureBatch:
    """Features of some clips in host memory.

    ``arrays``       : feature → (view, clip, coefficient, frame) in the store's dtype.
    ``samples``      : (view, clip) int64, length of each view before the padding.
    ``valid_frames`` : (view, clip) int64, frames centred on sound, not on padding, of all features but those
    of encoders.
    ``parameters``   : (view, clip) float64, NaN for views without one.
    ``mean``, ``m2`` : feature → (view, clip, coefficient) float64, over the valid frames.
    """

    arrays: Mapping[str, npt.NDArray[np.floating]]
    samples: npt.NDArray[np.int64]
    valid_frames: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float64]
    mean: Mapping[str, npt.NDArray[np.float64]]
    m2: Mapping[str, npt.NDArray[np.float64]]

    def clip(self, index: int) -> FeatureBatch:
        """One clip as a separate batch."""
        one = np.s_[:, index : index + 1]
        return FeatureBatch(
            {name: array[one] for name, array in self.arrays.items()},
            self.samples[one],
            self.valid_frames[one],
            self.parameters[one],
            {name: values[one] for name, values in self.mean.items()},
            {name: values[one] for name, values in self.m2.items()},
        )


def join_batches(parts: Sequence[FeatureBatch]) -> FeatureBatch:
    """The clips of several batches of one specification as one batch."""

    def join(tables: Sequence[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
        return {name: np.concatenate([table[name] for table in tables], axis=1) for name in tables[0]}

    return FeatureBatch(
        join([part.arrays for part in parts]),
        np.concatenate([part.samples for part in parts], axis=1),
        np.concatenate([part.valid_frames for part in parts], axis=1),
        np.concatenate([part.parameters for part in parts], axis=1),
        join([part.mean for part in parts]),
        join([part.m2 for part in parts]),
    )
