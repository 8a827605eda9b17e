"""Constant tensors, made once for each device and kept there.

They are computed in host memory and copied, so that they have the same bits on every device. The first batch
on a GPU waits for these copies; later ones do not.
"""

from __future__ import annotations

from functools import lru_cache

import torch


def positions(count: int, device: torch.device) -> torch.Tensor:
    """0, 1, … ``count`` − 1: (count,) int64. Not to be written to."""
    return _positions(power_of_two(count), device)[:count]


def power_of_two(count: int) -> int:
    """The smallest power of two that is at least ``count``: a constant of that length serves many lengths."""
    return 1 << max(0, count - 1).bit_length()


@lru_cache(maxsize=256)
def hann_window(size: int, device: torch.device) -> torch.Tensor:
    """Periodic Hann window: (size,) float32. Not to be written to."""
    return torch.hann_window(size).to(device)


@lru_cache(maxsize=64)
def _positions(count: int, device: torch.device) -> torch.Tensor:
    return torch.arange(count).to(device)
