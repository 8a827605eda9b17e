"""Waveforms with silence around them, so that their frames are centred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class PaddedWaveforms:
    """Several batches of waveforms, one per row, between zeros.

    Frame t is centred on sample t · ``hop_length`` of the waveform.

    ``samples`` : (row, ``frame_length`` + ``hop_length`` · (``frames`` − 1)) float32. A waveform starts at
    sample ``frame_length`` / 2.
    ``batches`` : rows of each batch, and its number of frames that may contain sound; later ones are silent.
    """

    samples: torch.Tensor
    frame_length: int
    hop_length: int
    frames: int
    batches: tuple[tuple[slice, int], ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of frames of each row that may contain sound."""
        return tuple(count for rows, count in self.batches for _ in range(rows.start, rows.stop))


def pad_waveforms(
    waveforms: Sequence[torch.Tensor], frame_length: int, hop_length: int, frames: int
) -> PaddedWaveforms:
    """Pad batches of waveforms, each (batch, samples) float32 with its own number of samples."""
    half = frame_length // 2
    size = frame_length + hop_length * (frames - 1)
    samples = waveforms[0].new_empty(sum(map(len, waveforms)), size)
    samples[:, :half] = 0
    batches, start = [], 0
    for batch in waveforms:
        rows = slice(start, start + len(batch))
        kept = min(batch.shape[-1], size - half)
        samples[rows, half : half + kept] = batch[:, :kept]
        samples[rows, half + kept :] = 0
        batches.append((rows, min(frames, (batch.shape[-1] + half - 1) // hop_length + 1)))
        start = rows.stop
    return PaddedWaveforms(samples, frame_length, hop_length, frames, tuple(batches))
