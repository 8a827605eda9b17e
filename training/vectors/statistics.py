"""Statistics of frame descriptors over a clip's valid frames.

33 per descriptor: mean and deviation; mean size and deviation of its steps from frame to frame; five
quantiles; skewness and kurtosis; autocorrelation at four lags; slope, curvature and skew in time (Legendre
moments); energy in seven bands of its modulation spectrum; means of eight equal stretches of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from schemas.architecture import Statistic

STATISTIC_NAMES: tuple[Statistic, ...] = get_args(Statistic)
"""Names of all statistics, in the order of :func:`statistics`."""

_QUANTILES = (0.05, 0.2, 0.5, 0.8, 0.95)
_LAGS = (1, 2, 4, 8)
_MODULATION = ((1, 3), (3, 6), (6, 10), (10, 16), (16, 26), (26, 40), (40, 64))
"""Bins of a Fourier transform over 128 frames."""
_MODULATION_FRAMES = 128
_STRETCHES = 8
_MOST_KURTOSIS = 30.0
_SMALLEST = 1e-2
"""Added to a deviation before dividing by it."""


def statistics(x: Tensor, valid_frames: Tensor, names: Sequence[Statistic] = STATISTIC_NAMES) -> Tensor:
    """Descriptors (B, D, T) float32 with ``valid_frames`` (B,) → (B, D, S), statistics ``names`` in order.

    Padded frames do not matter. A clip with a single valid frame is treated as if it had two.
    """
    clip = _Clip(x, valid_frames)
    parts = [clip.moments(), clip.steps(), clip.quantiles(), clip.shape(), clip.autocorrelation()]
    found = torch.cat([*parts, clip.legendre(), clip.modulation(), clip.stretches()], dim=2)
    if names == STATISTIC_NAMES:
        return found
    return found[:, :, [STATISTIC_NAMES.index(name) for name in names]]


class _Clip:
    """Descriptors of clips, with values that several statistics need."""

    def __init__(self, x: Tensor, valid_frames: Tensor) -> None:
        self.length = x.shape[2]
        self.count = valid_frames.clamp(min=2)
        self.frame = torch.arange(self.length, device=x.device)
        valid = self.frame < self.count[:, None]
        self.mask = valid.float()[:, None]
        self.x = torch.where(valid[:, None], x, 0.0)
        self.n = self.count.float()[:, None]
        self.mean = self.x.sum(2) / self.n
        centred = (self.x - self.mean[:, :, None]) * self.mask
        self.deviation = (centred.square().sum(2) / self.n).sqrt()
        self.z = centred / (self.deviation + _SMALLEST)[:, :, None]

    def moments(self) -> Tensor:
        """Mean and population deviation."""
        return torch.stack((self.mean, self.deviation), 2)

    def steps(self) -> Tensor:
        """Mean size and deviation of the differences of neighbouring frames."""
        steps = (self.x[:, :, 1:] - self.x[:, :, :-1]) * self.mask[:, :, 1:]
        n = self.n - 1
        variance = steps.square().sum(2) / n - (steps.sum(2) / n).square()
        return torch.stack((steps.abs().sum(2) / n, variance.clamp(min=1e-8).sqrt()), 2)

    def quantiles(self) -> Tensor:
        """Five quantiles, interpolated linearly between order statistics."""
        ordered = torch.where(self.mask > 0, self.x, torch.inf).sort(2)[0]
        share = torch.tensor(_QUANTILES, device=self.x.device)
        position = share * (self.n - 1)
        below = position.floor()
        at = below.long()[:, None].expand(-1, self.x.shape[1], -1)
        above = (at + 1).minimum(self.count[:, None, None] - 1)
        low, high = ordered.gather(2, at), ordered.gather(2, above)
        return low + (high - low) * (position - below)[:, None]

    def shape(self) -> Tensor:
        """Skewness and kurtosis."""
        kurtosis = (self.z**4).sum(2) / self.n
        return torch.stack(((self.z**3).sum(2) / self.n, kurtosis.clamp(max=_MOST_KURTOSIS)), 2)

    def autocorrelation(self) -> Tensor:
        """Autocorrelation at 1, 2, 4 and 8 frames."""
        lags = [
            (self.z[:, :, lag:] * self.z[:, :, :-lag]).sum(2) / (self.n - lag).clamp(min=1) for lag in _LAGS
        ]
        return torch.stack(lags, 2)

    def legendre(self) -> Tensor:
        """Moments of the first three Legendre polynomials of time, −1 … 1 over the clip."""
        t = self.frame * 2 / (self.n - 1) - 1
        polynomials = torch.stack((t, t * t - 1 / 3, t**3 - 0.6 * t), 2) * self.mask[:, 0, :, None]
        return torch.bmm(self.x, polynomials) / self.n[:, :, None]

    def modulation(self) -> Tensor:
        """Natural logarithm of the modulation spectrum in seven bands."""
        spectrum = torch.fft.rfft(self.z[:, :, :_MODULATION_FRAMES], _MODULATION_FRAMES).abs()
        spectrum = spectrum / self.n[:, :, None]
        return torch.stack([(spectrum[:, :, a:b].mean(2) + 1e-4).log() for a, b in _MODULATION], 2)

    def stretches(self) -> Tensor:
        """Means of eight equal stretches; 0 for a stretch without frames."""
        of = (self.frame * _STRETCHES / self.n).floor()
        edges = torch.arange(_STRETCHES, device=self.x.device)
        belongs = (of[:, :, None] == edges) & (self.mask[:, 0, :, None] > 0)
        weights = belongs.float()
        return torch.bmm(self.x, weights / weights.sum(1, keepdim=True).clamp(min=1))
