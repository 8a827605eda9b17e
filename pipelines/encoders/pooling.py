"""From hidden states to the numbers that a store holds.

Without ``frames``, all frames are real. With them, (clip,) int64 on the device, each clip has its own number,
and what is behind its end does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from pipelines.encoders.batches import is_within


def pool(hidden: torch.Tensor, statistics: Sequence[str], frames: torch.Tensor | None = None) -> torch.Tensor:
    """Statistics over the frames of (clip, layer, frame, width): (clip, 1, layers · statistics · width).

    ``mean``, and ``std``: the population standard deviation, which is 0 for a single frame.
    """
    if frames is None:
        deviation, mean = torch.std_mean(hidden, dim=2, correction=0)
    else:
        real = is_within(frames, hidden.shape[2])[:, None, :, None]
        count = frames[:, None, None]
        mean = hidden.mul(real).sum(dim=2) / count
        deviation = hidden.sub(mean[:, :, None]).mul_(real).square_().sum(dim=2).div_(count).sqrt_()
    values = {"mean": mean, "std": deviation}
    return torch.stack([values[name] for name in statistics], dim=2).flatten(1)[:, None]


def average_frames(hidden: torch.Tensor, stride: int, frames: torch.Tensor | None = None) -> torch.Tensor:
    """Means of ``stride`` frames each, the last of fewer: (clip, ⌈frames / stride⌉, layers · width).

    Zeros behind the end of a clip.
    """
    if frames is not None:
        return _average_real(hidden, stride, is_within(frames, hidden.shape[2]))
    clips, layers, count, width = hidden.shape
    whole = count // stride
    parts = [hidden[:, :, : whole * stride].reshape(clips, layers, whole, stride, width).mean(dim=3)]
    if count % stride:
        parts.append(hidden[:, :, whole * stride :].mean(dim=2, keepdim=True))
    return torch.cat(parts, dim=2).transpose(1, 2).flatten(2)


def _average_real(hidden: torch.Tensor, stride: int, real: torch.Tensor) -> torch.Tensor:
    more = -hidden.shape[2] % stride
    clips, layers, _, width = hidden.shape
    counts = F.pad(real, (0, more)).view(clips, -1, stride).sum(dim=2).clamp_(min=1)
    padded = F.pad(hidden * real[:, None, :, None], (0, 0, 0, more))
    means = padded.view(clips, layers, -1, stride, width).sum(dim=3) / counts[:, None, :, None]
    return means.transpose(1, 2).flatten(2)
