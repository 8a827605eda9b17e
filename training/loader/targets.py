"""Targets of samples as a tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from training.samples.samples import Samples


def target_tensor(samples: Samples) -> Tensor:
    """Class indices (n,) int64, or values of dimensions (n, dimensions) float32, on the CPU."""
    if samples.targets.ndim == 1:
        return torch.from_numpy(samples.classes)
    return torch.from_numpy(samples.values).float()
