"""Features of the waveform's frames: energy and zero crossings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

ZERO = 1e-10
"""Magnitudes up to this count as zero, which is positive (``librosa.zero_crossings``)."""


def rms(waveforms: torch.Tensor, frame_length: int, hop_length: int) -> torch.Tensor:
    """Root of the mean square of each centred, zero-padded frame: (batch, 1, frames), amplitude units."""
    frames = 1 + waveforms.shape[-1] // hop_length
    block = math.gcd(frame_length, hop_length)  # frames share whole blocks: each sample is squared once
    needed = frame_length + hop_length * (frames - 1)
    half = frame_length // 2
    padded = F.pad(waveforms, (half, max(0, needed - half - waveforms.shape[-1])))[..., :needed]
    blocks = padded.reshape(*padded.shape[:-1], -1, block).square().sum(-1)
    power = blocks.unfold(-1, frame_length // block, hop_length // block).sum(-1) / frame_length
    return power.sqrt().unsqueeze(-2)


def zero_crossing_rate(waveforms: torch.Tensor, frame_length: int, hop_length: int) -> torch.Tensor:
    """Sign changes within each centred, edge-padded frame over its length: (batch, 1, frames), 0…1."""
    frames = 1 + waveforms.shape[-1] // hop_length
    half = frame_length // 2
    negative = waveforms < -ZERO
    crossings = F.pad((negative[..., 1:] != negative[..., :-1]).to(torch.int32), (half, half + hop_length))
    # Entry i of the padded row says whether padded samples i and i + 1 differ; edge padding never does.
    before = F.pad(crossings.cumsum(-1), (1, 0))
    start = hop_length * torch.arange(frames, device=waveforms.device)
    count = before[..., start + frame_length - 1] - before[..., start]
    rate: torch.Tensor = count / frame_length
    return rate.unsqueeze(-2)
