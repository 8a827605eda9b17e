"""Extracts features of a specification from waveforms, with one Fourier transform per frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipelines.features.by_waveform import by_waveform
from pipelines.features.chroma import Chroma
from pipelines.features.delta import Slope
from pipelines.features.mel import MelBands, power_to_db
from pipelines.features.mfcc import Mfcc
from pipelines.features.padding import PaddedWaveforms, pad_waveforms
from pipelines.features.spectrum import power_spectra
from pipelines.features.temporal import Frames
from schemas.features import ChromaSpec, Delta2Spec, DeltaSpec, MelSpec, MfccSpec
from schemas.spec import StoreSpec


class FeatureExtractor:
    """Computes the features of ``spec`` on ``device``; filters and windows are created once.

    The features of encoders are computed elsewhere: :mod:`pipelines.encoders.extract`.

    ``columns`` : columns of each feature in the tables of :meth:`table`.
    """

    def __init__(self, spec: StoreSpec, device: torch.device) -> None:
        self.spec = spec
        self.columns = spec.signal_columns
        rate, n_fft = spec.audio.sample_rate, spec.spectral.n_fft
        # Rounded to float32 once: torch's own float32 window is less exact, which shows in quiet mel bands.
        self._window = torch.hann_window(n_fft, dtype=torch.float64).float().to(device)
        self._bands: dict[int, MelBands] = {}
        self._slopes: dict[str, Slope] = {}
        for feature in spec.features:
            match feature:
                case MelSpec() | MfccSpec() if feature.n_mels not in self._bands:
                    self._bands[feature.n_mels] = MelBands(rate, n_fft, feature.n_mels, device)
                case DeltaSpec() | Delta2Spec():
                    order = 1 if feature.kind == "delta" else 2
                    self._slopes[feature.kind] = Slope(feature.width, order, device)
                case ChromaSpec():
                    self._chroma = Chroma(rate, n_fft, feature.n_chroma, feature.tuning, device)
            if isinstance(feature, MfccSpec):
                self._mfcc = Mfcc(feature.n_mfcc, feature.n_mels, device)

    def __call__(self, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
        """Array of each feature, (batch, coefficient, frame) float32, of (batch, samples) float32
        waveforms.
        """
        table = self.table([waveforms]).transpose(1, 2)
        return {name: table[:, columns] for name, columns in self.columns.items()}

    def table(self, waveforms: Sequence[torch.Tensor]) -> torch.Tensor:
        """All features concatenated, (waveform, frame, coefficient) float32, of several batches of waveforms.

        Each batch is (batch, samples) float32 with its own number of samples, at most the fixed length; the
        rest is silence.
        """
        spectral = self.spec.spectral
        padded = pad_waveforms(waveforms, spectral.n_fft, spectral.hop_length, self.spec.frames)
        features: dict[str, torch.Tensor] = self._spectral(padded) | self._temporal(padded)
        return torch.cat([features[name] for name in self.columns], dim=-1)

    def _spectral(self, waveforms: PaddedWaveforms) -> dict[str, torch.Tensor]:
        if not self.columns.keys() - {"rms", "zcr"}:
            return {}
        spectra = power_spectra(waveforms, self._window)
        mel = {
            n: power_to_db(spectra.spread(by_waveform(bands, spectra.power, spectra.counts)))
            for n, bands in self._bands.items()
        }
        out: dict[str, torch.Tensor] = {}
        for feature in self.spec.features:
            match feature:
                case MelSpec():
                    out["mel"] = mel[feature.n_mels]
                case MfccSpec():
                    out["mfcc"] = self._mfcc(mel[feature.n_mels])
                case ChromaSpec():
                    out["chroma"] = self._chroma(spectra)
        return out | {name: slope(out["mfcc"]) for name, slope in self._slopes.items()}

    def _temporal(self, waveforms: PaddedWaveforms) -> dict[str, torch.Tensor]:
        if not self.columns.keys() & {"rms", "zcr"}:
            return {}
        frames = Frames(waveforms, self.spec.length)
        out: dict[str, torch.Tensor] = {}
        if "rms" in self.columns:
            out["rms"] = frames.rms()
        if "zcr" in self.columns:
            out["zcr"] = frames.zero_crossing_rate()
        return out
