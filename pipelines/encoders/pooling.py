"""From hidden states to the numbers that a store holds."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def pool(hidden: torch.Tensor, statistics: Sequence[str]) -> torch.Tensor:
    """Statistics over the frames of (clip, layer, frame, width): (clip, 1, layers · statistics · width).

    ``mean``, and ``std``: the population standard deviation, which is 0 for a single frame.
    """
    deviation, mean = torch.std_mean(hidden, dim=2, correction=0)
    values = {"mean": mean, "std": deviation}
    return torch.stack([values[name] for name in statistics], dim=2).flatten(1)[:, None]


def average_frames(hidden: torch.Tensor, stride: int) -> torch.Tensor:
    """Means of ``stride`` frames each, the last of fewer: (clip, ⌈frames / stride⌉, layers · width)."""
    clips, layers, frames, width = hidden.shape
    whole = frames // stride
    parts = [hidden[:, :, : whole * stride].reshape(clips, layers, whole, stride, width).mean(dim=3)]
    if frames % stride:
        parts.append(hidden[:, :, whole * stride :].mean(dim=2, keepdim=True))
    return torch.cat(parts, dim=2).transpose(1, 2).flatten(2)
