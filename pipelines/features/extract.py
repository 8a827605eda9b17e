"""All features of a specification from one batch of waveforms, with one Fourier transform."""

from __future__ import annotations

import torch

from pipelines.features.mel import mel_filters, power_spectrogram, power_to_db
from pipelines.features.mfcc import dct_matrix
from pipelines.features.temporal import rms, zero_crossing_rate
from schemas.spec import MelSpec, MfccSpec, RmsSpec, StoreSpec, ZcrSpec


class FeatureExtractor:
    """Computes the features that ``spec`` lists, on ``device``; filters and windows are made once."""

    def __init__(self, spec: StoreSpec, device: torch.device) -> None:
        self.spec = spec
        n_fft = spec.spectral.n_fft
        # Rounded to float32 once: torch's own float32 window is less exact, and quiet mel bands show it.
        self._window = torch.hann_window(n_fft, dtype=torch.float64).float().to(device)
        bands = {f.n_mels for f in spec.features if isinstance(f, MelSpec | MfccSpec)}
        self._filters = {
            n: torch.from_numpy(mel_filters(spec.audio.sample_rate, n_fft, n)).float().to(device)
            for n in bands
        }
        self._dct = {
            f.kind: torch.from_numpy(dct_matrix(f.n_mfcc, f.n_mels)).to(device)
            for f in spec.features
            if isinstance(f, MfccSpec)
        }

    def __call__(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        """Feature name → (batch, coefficients, frames) float32, for (batch, length) float32 waveforms.

        ``mel`` : dB re 1.0, 80 dB range. ``mfcc`` : of that mel, no lifter. ``rms`` : amplitude.
        ``zcr`` : crossings per sample.
        """
        n_fft, hop = self.spec.spectral.n_fft, self.spec.spectral.hop_length
        mel = self._mel(waveforms, hop)
        out: dict[str, torch.Tensor] = {}
        for feature in self.spec.features:
            match feature:
                case MelSpec():
                    out["mel"] = mel[feature.n_mels]
                case MfccSpec():
                    # float64: sums of 128 values near −80 dB would lose 2e-3 in float32
                    out["mfcc"] = (self._dct["mfcc"] @ mel[feature.n_mels].double()).float()
                case RmsSpec():
                    out["rms"] = rms(waveforms, n_fft, hop)
                case ZcrSpec():
                    out["zcr"] = zero_crossing_rate(waveforms, n_fft, hop)
        return out

    def _mel(self, waveforms: torch.Tensor, hop: int) -> dict[int, torch.Tensor]:
        if not self._filters:
            return {}
        power = power_spectrogram(waveforms, self._window, hop)
        return {n: power_to_db(filters @ power) for n, filters in self._filters.items()}
