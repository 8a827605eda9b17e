"""Whisper's input: log-mel spectrograms."""

from __future__ import annotations

import torch

from pipelines.encoders.batches import is_within
from pipelines.features.mel_scale import mel_filters
from schemas.encoders import ENCODER_RATE

N_FFT, HOP = 400, 160
SMALLEST_POWER = 1e-10
_RANGE = 8.0
"""Decades below the clip's maximum at which the spectrogram is floored: one loud click shifts the floor."""


class LogMel:
    """Log-mel spectrograms as Whisper's (Radford et al. 2022), equal to ``WhisperFeatureExtractor``'s.

    25 ms Hann windows every 10 ms, Slaney's mel filters, log₁₀ floored 8 below the maximum, (x + 4) / 4.
    """

    def __init__(self, n_mels: int, device: torch.device) -> None:
        self._window = torch.hann_window(N_FFT, device=device)
        self._filters = torch.from_numpy(mel_filters(ENCODER_RATE, N_FFT, n_mels)).float().to(device)

    def __call__(self, waveforms: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Log-mel (batch, n_mels, samples / 160) of (batch, samples) float32 at 16 kHz.

        ``samples`` is a multiple of 160 and more than 200, as are ``lengths``: (batch,) int64, each clip's
        end; zeros follow its last frame. Computed in float32 also where the network is not.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            if lengths is None:
                return scale(self._log_power(waveforms))
            position = torch.arange(waveforms.shape[1], device=waveforms.device).expand_as(waveforms)
            last = lengths[:, None] - 1  # mirrored there, as the transform mirrors the end of a whole row
            mirrored = torch.where(position <= last, position, 2 * last - position).clamp_(min=0)
            mel = self._log_power(waveforms.gather(1, mirrored))
            behind = ~is_within(lengths // HOP, mel.shape[2])[:, None]
            return scale(mel.masked_fill_(behind, -torch.inf)).masked_fill_(behind, 0.0)

    def _log_power(self, waveforms: torch.Tensor) -> torch.Tensor:
        spectra = torch.stft(waveforms, N_FFT, HOP, window=self._window, return_complex=True)
        power = spectra[..., :-1].abs().square_().contiguous()
        return (self._filters @ power).clamp_(min=SMALLEST_POWER).log10_()


def scale(mel: torch.Tensor) -> torch.Tensor:
    """Network input of log₁₀ powers (batch, n_mels, frames): floored, then (x + 4) / 4."""
    floor = mel.amax(dim=(-2, -1), keepdim=True) - _RANGE
    return (torch.maximum(mel, floor) + 4.0) / 4.0
