"""Packed power spectra of several waveforms: one Fourier transform per frame for all features."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipelines.features.padding import PaddedWaveforms


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


def power_spectra(waveforms: PaddedWaveforms, window: torch.Tensor) -> Spectra:
    """Squared magnitude of the Fourier transforms of the frames, weighted by ``window``, (frame length,).

    Frames entirely after the end of a batch are omitted.
    """
    counts = waveforms.counts
    power = torch.empty(sum(counts), len(window) // 2 + 1, device=window.device)
    start = 0
    for rows, count in waveforms.batches:
        frames = waveforms.samples[rows].unfold(-1, len(window), waveforms.hop_length)[:, :count]
        squares = torch.view_as_real(torch.fft.rfft(frames * window)).flatten(0, 1).square_()
        stop = start + len(squares)
        torch.add(squares[..., 0], squares[..., 1], out=power[start:stop])
        start = stop
    return Spectra(power, counts, waveforms.frames)
