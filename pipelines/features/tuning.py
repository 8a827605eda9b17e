"""Tuning of a voice: deviation of its partials from the notes at A = 440 Hz."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import torch

from pipelines.constants import positions
from pipelines.features.spectrum import Spectra

TUNING_STEPS = 100
"""Number of tunings: hundredths of a bin of the scale, from −0.50 to 0.49."""

_LOWEST_HZ, _HIGHEST_HZ = 150.0, 4000.0
_LOUD = 0.1
"""Smallest share of the frame's maximum at which a peak counts as a partial."""


def tuning_bins(sample_rate: int, n_fft: int) -> int:
    """Number of bins of a spectrum that may be partials."""
    return len(_bins(sample_rate, n_fft))


class TuningEstimator:
    """Estimates each waveform's tuning from the peaks of its spectra, as ``librosa.estimate_tuning`` does."""

    def __init__(self, sample_rate: int, n_fft: int, bins_per_octave: int, device: torch.device) -> None:
        bins = _bins(sample_rate, n_fft)
        self._first, self._stop = bins.start, bins.stop
        self._hz_per_bin = sample_rate / n_fft
        self._bins_per_octave = bins_per_octave
        self._edges = torch.from_numpy(np.linspace(-0.5, 0.5, TUNING_STEPS + 1)).to(device)

    def __call__(self, spectra: Spectra) -> torch.Tensor:
        """Index of each waveform's tuning, (waveform,) int64: its tuning is index / 100 − 0.5 bins.

        Peaks are bins above both neighbours, between 150 and 4,000 Hz, with more than a tenth of the frame's
        maximum power; a parabola through three bins gives their frequency (Smith, "Spectral Audio Signal
        Processing", 2011). The tuning is the most frequent deviation from the scale among the peaks that
        are at least as strong as the waveform's median peak; a waveform without peaks has tuning 0.
        """
        if spectra.power.device.type != "cpu":
            return self._estimate_dense(spectra.spread(spectra.power))
        power = spectra.power.numpy()
        row, bin_ = self._peaks(power)
        left, middle, right = (power[row, bin_ + side] for side in (-1, 0, 1))
        curve, slope = left + right - 2 * middle, (right - left) / 2
        shift = np.divide(-slope, curve, out=np.zeros_like(slope), where=np.abs(slope) < np.abs(curve))
        strength = middle + np.float32(0.5) * slope * shift
        waveform = np.repeat(np.arange(len(spectra.counts)), spectra.counts)[row]
        strong = np.flatnonzero(strength >= _medians(strength, waveform, len(spectra.counts))[waveform])
        step = self._steps(torch.from_numpy((bin_.astype(np.float32) + shift)[strong])).numpy()
        shape = (len(spectra.counts), TUNING_STEPS)
        votes = np.bincount(waveform[strong] * TUNING_STEPS + step, minlength=math.prod(shape)).reshape(shape)
        return torch.from_numpy(np.where(votes.any(axis=1), votes.argmax(axis=1), TUNING_STEPS // 2))

    def _steps(self, bins: torch.Tensor) -> torch.Tensor:
        """Index of the tuning that each frequency, in bins of the spectrum, votes for."""
        frequency = bins * self._hz_per_bin
        deviation = (self._bins_per_octave * torch.log2(frequency / (440.0 / 16))).remainder(1.0)
        deviation = torch.where(deviation >= 0.5, deviation - 1.0, deviation)
        return torch.bucketize(deviation.double(), self._edges[1:-1], right=True)

    def _estimate_dense(self, power: torch.Tensor) -> torch.Tensor:
        """The same of (waveform, frame, bin) power, with every bin as a candidate: no shape depends on
        numbers, so the host need not wait.
        """
        waveforms, device = len(power), power.device
        here = power[..., self._first : self._stop]
        left = power[..., self._first - 1 : self._stop - 1]
        right = power[..., self._first + 1 : self._stop + 1]
        peak = (here > left) & (here >= right) & (here > _LOUD * power.amax(dim=-1, keepdim=True))
        curve, slope = left + right - 2 * here, (right - left) / 2
        shift = torch.where(slope.abs() >= curve.abs(), 0.0, -slope / curve)
        strength = (here + 0.5 * slope * shift).masked_fill_(~peak, torch.nan).view(waveforms, -1)
        strong = strength >= _middle(strength)  # false where there is no peak
        bins = positions(self._stop - self._first, device) + self._first + shift
        step = self._steps(bins).view(waveforms, -1)
        # Others vote for places behind the last step, all different, so that none is written to by many.
        others = positions(strength.shape[1], device) % here.shape[-1] + TUNING_STEPS
        votes = torch.zeros(waveforms, TUNING_STEPS + here.shape[-1], dtype=torch.int64, device=device)
        votes.scatter_add_(1, torch.where(strong, step, others), torch.ones_like(step))
        counted = votes[:, :TUNING_STEPS]
        return torch.where(counted.any(dim=1), counted.argmax(dim=1), TUNING_STEPS // 2)

    def _peaks(self, power: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row and bin of each peak of (row, bin) power, rows ascending: (peak,) each.

        NumPy compares, searches and sorts several times as fast as torch.
        """
        here = power[:, self._first : self._stop]
        is_peak = here > power[:, self._first - 1 : self._stop - 1]
        is_peak &= here >= power[:, self._first + 1 : self._stop + 1]
        is_peak &= here > np.float32(_LOUD) * power.max(axis=1, keepdims=True)
        flat = np.flatnonzero(is_peak)
        row = flat // here.shape[1]
        return row, flat - row * here.shape[1] + self._first


def _bins(sample_rate: int, n_fft: int) -> range:
    frequencies = np.arange(1 + n_fft // 2) * sample_rate / n_fft
    inside = np.flatnonzero((frequencies >= _LOWEST_HZ) & (frequencies < min(_HIGHEST_HZ, sample_rate / 2)))
    return range(int(inside[0]), int(inside[-1]) + 1) if len(inside) else range(1, 1)


def _medians(
    values: npt.NDArray[np.float32], waveform: npt.NDArray[np.int64], waveforms: int
) -> npt.NDArray[np.float32]:
    """Median of each waveform's values, the mean of the middle two for an even number; 0 without values.

    ``waveform`` : (value,) ascending, the waveform of each value.
    """
    medians = np.zeros(waveforms, np.float32)
    bounds = np.searchsorted(waveform, np.arange(waveforms + 1))
    for index, (start, stop) in enumerate(itertools.pairwise(bounds.tolist())):
        if stop > start:
            low, high = (stop - start - 1) // 2, (stop - start) // 2
            ordered = np.partition(values[start:stop], (low, high))
            medians[index] = (ordered[low] + ordered[high]) / np.float32(2)
    return medians


def _middle(values: torch.Tensor) -> torch.Tensor:
    """Median of each row's numbers that are not NaN, (row, 1); NaN for rows without any.

    The mean of the middle two for an even number, of which torch's own median gives the lower one.
    """
    lower = values.nanmedian(dim=1, keepdim=True).values
    numbers = (~values.isnan()).sum(dim=1, keepdim=True)
    above = torch.where(values > lower, values, torch.inf).amin(dim=1, keepdim=True)
    next_one = torch.where(2 * (values <= lower).sum(dim=1, keepdim=True) > numbers, lower, above)
    return torch.where(numbers % 2 == 1, lower, torch.cat([lower, next_one], 1).mean(dim=1, keepdim=True))
