"""Mean and squared deviations of each feature coefficient, waveform by waveform."""

from __future__ import annotations

import torch


def clip_moments(table: torch.Tensor, valid_frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and M2 = Σ (x − mean)² over each waveform's valid frames: two (waveform, coefficient) float64.

    ``table`` : (waveform, frame, coefficient) as stored. ``valid_frames`` : (waveform,) int64; a waveform
    without a valid frame gives zeros. Two passes in float32 over at most a few hundred frames, so that
    merging in float64 loses nothing.
    """
    frames = torch.arange(table.shape[1], device=table.device)
    valid = (frames < valid_frames[:, None]).to(torch.float32)[:, None]
    numbers = table.to(torch.float32)
    mean = _sums(valid, numbers) / valid_frames.clamp(min=1).to(torch.float32)[:, None, None]
    squares = _sums(valid, (numbers - mean).square_())
    return mean[:, 0].to(torch.float64), squares[:, 0].to(torch.float64)


def _sums(valid: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """``valid`` @ ``numbers``. On a CPU one by one: how many are multiplied at once decides the last bits."""
    if numbers.device.type != "cpu":
        return valid @ numbers
    return torch.stack([row @ part for row, part in zip(valid, numbers, strict=True)])
