"""Packed power spectra of several waveforms: one Fourier transform per frame for all features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Spectra:
    """Power spectra of the frames of each waveform that may contain sound; all later frames are exactly
    silent.

    ``power``  : (row, 1 + n_fft/2) float32: the frames of the first waveform, then of the second, …
    ``counts`` : number of rows of each waveform, at most ``frames``.
    """

    power: torch.Tensor
    counts: tuple[int, ...]
    frames: int

    def spread(self, rows: torch.Tensor) -> torch.Tensor:
        """Unpack rows, (row, coefficient), to (waveform, frame, coefficient), with 0 in silent frames."""
        if self.uniform:
            return rows.view(len(self.counts), self.frames, -1)
        out = rows.new_zeros(len(self.counts), self.frames, rows.shape[-1])
        for waveform, part in enumerate(torch.split(rows, list(self.counts))):
            out[waveform, : len(part)] = part
        return out

    @property
    def uniform(self) -> bool:
        """Whether all frames of every waveform are present, none omitted as silent."""
        return all(count == self.frames for count in self.counts)


def power_spectra(
    waveforms: Sequence[torch.Tensor], window: torch.Tensor, hop_length: int, frames: int
) -> Spectra:
    """Squared magnitude of the Fourier transforms of batches of waveforms, each (batch, samples) float32.

    ``window`` has n_fft samples. Frame t is centred on sample t · ``hop_length``; the signal is padded with
    zeros. The batches may have different numbers of samples; frames entirely after the end of a batch are
    omitted.
    """
    n_fft = len(window)
    counts = [min(frames, (batch.shape[-1] + n_fft // 2 - 1) // hop_length + 1) for batch in waveforms]
    total = sum(len(batch) * count for batch, count in zip(waveforms, counts, strict=True))
    power = torch.empty(total, n_fft // 2 + 1, device=window.device)
    start = 0
    for batch, count in zip(waveforms, counts, strict=True):
        after = max(0, n_fft // 2 + hop_length * (count - 1) - batch.shape[-1])
        framed = F.pad(batch, (n_fft // 2, after)).unfold(-1, n_fft, hop_length)[:, :count]
        squares = torch.view_as_real(torch.fft.rfft(framed * window)).flatten(0, 1).square_()
        stop = start + len(squares)
        torch.add(squares[..., 0], squares[..., 1], out=power[start:stop])
        start = stop
    repeated = [count for batch, count in zip(waveforms, counts, strict=True) for _ in range(len(batch))]
    return Spectra(power, tuple(repeated), frames)
