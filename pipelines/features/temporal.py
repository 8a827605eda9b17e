"""Features of the waveform's frames: energy and zero crossings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

ZERO = 1e-10
"""Magnitudes up to this count as zero, which is positive (``librosa.zero_crossings``)."""


def rms(waveforms: torch.Tensor, frame_length: int, hop_length: int, frames: int) -> torch.Tensor:
    """Root of the mean square of each centred, zero-padded frame: (batch, frames, 1), amplitude units.

    The waveforms, (batch, samples) float32, are silent past their end.
    """
    needed = frame_length + hop_length * (frames - 1)
    padded = _fit(F.pad(waveforms, (frame_length // 2, 0)), needed)
    power = _frame_sums(padded.square_(), frame_length, hop_length) / frame_length
    return power.sqrt_()[..., None]


def zero_crossing_rate(
    waveforms: torch.Tensor, frame_length: int, hop_length: int, frames: int, length: int
) -> torch.Tensor:
    """Sign changes within each centred, edge-padded frame over its length: (batch, frames, 1), 0…1.

    The waveforms, (batch, samples) float32, are zero from their end to sample ``length``; there the edge
    begins.
    """
    needed = frame_length + hop_length * (frames - 1)
    negative = F.pad(waveforms < -ZERO, (0, min(1, length - waveforms.shape[-1])))
    # Entry j of the padded row says whether padded samples j − 1 and j differ; the edges never do.
    changes = F.pad(negative[..., 1:] != negative[..., :-1], (frame_length // 2 + 1, 0))
    changes = _fit(changes, needed).to(torch.float32)
    # The change into a frame's first sample is not within the frame.
    count = (
        _frame_sums(changes, frame_length, hop_length)
        - changes[..., : needed - frame_length + 1 : hop_length]
    )
    return (count / frame_length)[..., None]


def _frame_sums(values: torch.Tensor, frame_length: int, hop_length: int) -> torch.Tensor:
    """Sum of each frame of (batch, samples) values: (batch, frames). Frames share sums of whole blocks."""
    block = math.gcd(frame_length, hop_length)
    blocks = values.view(len(values), -1, block).sum(-1)
    sums: torch.Tensor = blocks.unfold(-1, frame_length // block, hop_length // block).sum(-1)
    return sums


def _fit(values: torch.Tensor, samples: int) -> torch.Tensor:
    """Cut or pad the last dimension to ``samples``."""
    return F.pad(values, (0, max(0, samples - values.shape[-1])))[..., :samples].contiguous()
