"""Chroma: the energy of the pitch classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from pipelines.features.by_waveform import by_waveform, waveform_rows
from pipelines.features.spectrum import Spectra
from pipelines.features.tuning import TUNING_STEPS, TuningEstimator

_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0


class Chroma:
    """Chroma with a given tuning, or with the estimated tuning of each waveform."""

    def __init__(
        self, sample_rate: int, n_fft: int, n_chroma: int, tuning: float | None, device: torch.device
    ) -> None:
        self._estimate = TuningEstimator(sample_rate, n_fft, n_chroma, device) if tuning is None else None
        tunings = np.linspace(-0.5, 0.5, TUNING_STEPS + 1)[:TUNING_STEPS] if tuning is None else [tuning]
        banks = np.stack([chroma_filters(sample_rate, n_fft, n_chroma, float(t)).T for t in tunings])
        self._banks = torch.from_numpy(banks.astype(np.float32)).to(device)

    def __call__(self, spectra: Spectra) -> torch.Tensor:
        """Chroma of each frame, (waveform, frame, n_chroma) float32: the largest class is 1, silent frames
        are 0.
        """
        return spectra.spread(_scale_to_largest(self._energy(spectra)))

    def _energy(self, spectra: Spectra) -> torch.Tensor:
        if self._estimate is None:
            return by_waveform(lambda part: part @ self._banks[0], spectra.power, spectra.counts)
        index = self._estimate(spectra)
        if spectra.uniform and spectra.power.device.type != "cpu":  # see by_waveform
            shape = (len(spectra.counts), spectra.frames, -1)
            return torch.bmm(spectra.power.view(shape), self._banks[index]).flatten(0, 1)
        parts = zip(waveform_rows(spectra.power, spectra.counts), index.tolist(), strict=True)
        return torch.cat([power @ self._banks[step] for power, step in parts])


def chroma_filters(sample_rate: int, n_fft: int, n_chroma: int, tuning: float) -> npt.NDArray[np.float64]:
    """Weights of the bins in each pitch class, (n_chroma, 1 + n_fft/2); class 0 is C.

    Gaussian bumps around the classes in every octave, with the weights of each bin scaled to length 1, then
    weighted by a Gaussian over the octaves, centred on the fifth (Ellis, "Chroma feature analysis and
    synthesis", 2007; ``librosa.filters.chroma``). ``tuning`` : deviation of A above 440 Hz, in fractions of a
    class.
    """
    hertz = np.arange(1, n_fft) * sample_rate / n_fft
    a0 = 440.0 * 2.0 ** (tuning / n_chroma) / 16
    position = n_chroma * np.log2(hertz / a0)
    position = np.concatenate([[position[0] - 1.5 * n_chroma], position])  # 0 Hz: far below the first bin
    width = np.concatenate([np.maximum(np.diff(position), 1.0), [1.0]])
    half = np.round(n_chroma / 2)
    classes = np.arange(n_chroma)[:, None]
    distance = np.remainder(position - classes + half + 10 * n_chroma, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((position / n_chroma - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)
    from_a_to_c: npt.NDArray[np.float64] = np.roll(weights, -3 * (n_chroma // 12), axis=0)
    return from_a_to_c[:, : 1 + n_fft // 2]


def _scale_to_largest(energy: torch.Tensor) -> torch.Tensor:
    """Divide each row by its largest value; rows without energy remain 0."""
    largest = energy.amax(dim=1, keepdim=True)
    return energy / torch.where(largest < torch.finfo(torch.float32).tiny, 1.0, largest)
