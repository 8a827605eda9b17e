"""Mean and squared deviations of each feature coefficient, per waveform."""

from __future__ import annotations

import torch


def clip_moments(numbers: torch.Tensor, valid_frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and M2 = Σ (x − mean)² over each waveform's valid frames: two (waveform, coefficient) float64.

    ``numbers`` : (waveform, frame, coefficient) float32, as stored. ``valid_frames`` : (waveform,) int64; a
    waveform without valid frames gives zeros. Two passes in float32 over at most a few hundred frames are
    exact enough to be merged in float64 without loss.
    """
    frames = torch.arange(numbers.shape[1], device=numbers.device)
    valid = (frames < valid_frames[:, None]).to(torch.float32)[:, :, None]
    mean = _sums(numbers * valid) / valid_frames.clamp(min=1).to(torch.float32)[:, None]
    squares = _sums((numbers - mean[:, None]).square_().mul_(valid))
    return mean.to(torch.float64), squares.to(torch.float64)


def _sums(numbers: torch.Tensor) -> torch.Tensor:
    """Sums over the frames of (waveform, frame, coefficient), which is overwritten: (waveform, coefficient).

    The second half is added to the first repeatedly. In a matrix product or ``torch.sum``, the last bits can
    depend on the number of coefficients and waveforms, and on the processor.
    """
    frames = numbers.shape[1]
    while frames > 1:
        half = (frames + 1) // 2
        numbers[:, : frames - half] += numbers[:, half:frames]
        frames = half
    return numbers[:, 0]
