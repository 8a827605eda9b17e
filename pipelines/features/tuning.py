"""Tuning of a voice: deviation of its partials from the notes at A = 440 Hz."""

from __future__ import annotations

import numpy as np
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
        row, bin_, middle, curve, slope = self._peaks(spectra.power)
        shift = torch.where(slope.abs() >= curve.abs(), 0.0, -slope / curve)
        strength = middle + 0.5 * slope * shift
        counts = torch.tensor(spectra.counts, device=row.device)
        waveform = torch.repeat_interleave(torch.arange(len(counts), device=row.device), counts)[row]
        strong = _true_places(strength >= _medians(strength, waveform, len(counts))[waveform])
        step = self._steps((bin_ + shift)[strong])
        votes = torch.bincount(waveform[strong] * TUNING_STEPS + step, minlength=len(counts) * TUNING_STEPS)
        votes = votes.view(len(counts), TUNING_STEPS)
        return torch.where(votes.any(dim=1), votes.argmax(dim=1), TUNING_STEPS // 2)

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

    def _peaks(self, power: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Row, bin, power, curvature and slope of each peak, rows ascending: (peak,) each."""
        here, below = power[:, self._first : self._stop], power[:, self._first - 1 : self._stop - 1]
        # One comparison instead of three, which are slower than differences; the third is only for few bins.
        least = torch.minimum(here - below, here - _LOUD * power.amax(dim=1, keepdim=True))
        candidates = _true_places(least > 0)
        row = candidates // here.shape[1]
        bin_ = candidates - row * here.shape[1] + self._first
        place = row * power.shape[1] + bin_
        flat = power.flatten()
        peak = _true_places(flat[place] >= flat[place + 1])
        row, bin_, place = row[peak], bin_[peak], place[peak]
        left, middle, right = flat[place - 1], flat[place], flat[place + 1]
        return row, bin_, middle, left + right - 2 * middle, (right - left) / 2


def _bins(sample_rate: int, n_fft: int) -> range:
    frequencies = np.arange(1 + n_fft // 2) * sample_rate / n_fft
    inside = np.flatnonzero((frequencies >= _LOWEST_HZ) & (frequencies < min(_HIGHEST_HZ, sample_rate / 2)))
    return range(int(inside[0]), int(inside[-1]) + 1) if len(inside) else range(1, 1)


def _true_places(mask: torch.Tensor) -> torch.Tensor:
    """Places in the flattened ``mask`` that are true: numpy finds them in half of torch's time."""
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def _medians(values: torch.Tensor, waveform: torch.Tensor, waveforms: int) -> torch.Tensor:
    """Median of each waveform's values, the mean of the middle two for an even number; 0 without values."""
    counts = torch.bincount(waveform, minlength=waveforms)
    most = int(counts.max()) if len(values) else 0
    if most == 0:
        return values.new_zeros(waveforms)
    position = torch.arange(len(values), device=values.device) - (counts.cumsum(0) - counts)[waveform]
    table = values.new_full((waveforms, most), torch.inf)
    table[waveform, position] = values
    ordered = table.sort(dim=1).values
    middle = torch.stack([(counts - 1).clamp(min=0) // 2, counts // 2], dim=1).clamp(max=most - 1)
    return ordered.gather(1, middle).mean(dim=1)


def _middle(values: torch.Tensor) -> torch.Tensor:
    """Median of each row's numbers that are not NaN, (row, 1); NaN for rows without any.

    The mean of the middle two for an even number, of which torch's own median gives the lower one.
    """
    lower = values.nanmedian(dim=1, keepdim=True).values
    numbers = (~values.isnan()).sum(dim=1, keepdim=True)
    above = torch.where(values > lower, values, torch.inf).amin(dim=1, keepdim=True)
    next_one = torch.where(2 * (values <= lower).sum(dim=1, keepdim=True) > numbers, lower, above)
    return torch.where(numbers % 2 == 1, lower, torch.cat([lower, next_one], 1).mean(dim=1, keepdim=True))
