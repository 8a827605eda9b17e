"""Count, mean and squared deviations of each feature coefficient, clip by clip."""

from __future__ import annotations

import torch


def clip_moments(values: torch.Tensor, valid_frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and M2 = Σ (x − mean)² over each clip's valid frames: two (clip, coefficient) float64 tensors.

    ``values`` : (clip, coefficient, frame) as stored. ``valid_frames`` : (clip,) int64; a clip without a
    valid frame gives zeros. Two passes in float32 over at most a few hundred frames, so that merging in
    float64 loses nothing.
    """
    frames = torch.arange(values.shape[-1], device=values.device)
    valid = (frames < valid_frames[:, None])[:, None, :].to(torch.float32)
    count = valid_frames.clamp(min=1).to(torch.float32)[:, None]
    numbers = values.to(torch.float32)
    mean = (numbers * valid).sum(-1) / count
    squares = ((numbers - mean[..., None]) * valid).square().sum(-1)
    return mean.to(torch.float64), squares.to(torch.float64)
