"""How many frames of a feature describe sound, and not padding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.spec import StoreSpec


def count_valid_frames(
    spec: StoreSpec, feature: str, samples: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Valid frames of ``feature`` for waveforms of ``samples`` samples: int64 of the same shape."""
    lengths, places = np.unique(samples, return_inverse=True)
    counts = np.array([spec.valid_frames_of(feature, length) for length in lengths.tolist()], np.int64)
    return counts[places].reshape(samples.shape)
