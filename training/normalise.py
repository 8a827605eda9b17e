"""Normalisation: zero mean and unit deviation of every coefficient over the training speakers.

The numbers come from the store's exact statistics of valid frames; no array is read for them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor, nn

from featurestore.durable import write_durably
from featurestore.store import FeatureStore
from schemas.errors import RunError

SMALLEST_DEVIATION = 1e-6
"""A coefficient that varies less is only centred."""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Mean and standard deviation of the stacked coefficients, (C,) float32 each."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write as safetensors (``mean``, ``std``)."""
        write_durably(path, save({"mean": self.mean, "std": self.std}))

    @classmethod
    def load(cls, path: Path) -> Normalisation:
        """Read what :meth:`save` wrote. Raises :class:`RunError` for anything else."""
        try:
            tensors = load_file(path)
            return cls(tensors["mean"], tensors["std"])
        except (OSError, KeyError, SafetensorError) as error:
            raise RunError(f"{path} cannot be read ({error}); start a new run") from error


def normalisation_of(
    store: FeatureStore, speakers: Collection[str], views: Sequence[int], features: Sequence[str]
) -> Normalisation:
    """Normalisation over the valid frames of ``speakers`` in ``views``, features stacked in order."""
    statistics = store.statistics(speakers, views)
    std = np.concatenate([statistics[feature].std for feature in features])
    return Normalisation(
        mean=np.concatenate([statistics[feature].mean for feature in features]).astype(np.float32),
        std=np.where(std < SMALLEST_DEVIATION, 1.0, std).astype(np.float32),
    )


class Normaliser(nn.Module):
    """Stored features to the model's input. Holds ``mean`` and ``std`` as buffers (C, 1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(normalisation.mean.copy())[:, None])
        self.register_buffer("std", torch.from_numpy(normalisation.std.copy())[:, None])

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, 1, C, T) as stored → float32, ``(x − mean) / std``, 0 behind ``valid_frames`` (B,).

        Whatever stands in padded frames, NaN too, does not get through.
        """
        padded = torch.arange(features.shape[-1], device=features.device) >= valid_frames[:, None]
        normal = (features.float() - self.mean) / self.std
        return normal.masked_fill_(padded[:, None, None, :], 0.0)
