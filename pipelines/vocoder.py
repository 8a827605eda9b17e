"""The phase vocoder: batches stretched in time by a ratio of two integer hops, pitch kept."""

from __future__ import annotations

import math

import torch

N_FFT = 1024
LARGEST_HOP = 240
_ENOUGH_CENTS = 0.1


def stretch(waveforms: torch.Tensor, numerator: int, denominator: int) -> torch.Tensor:
    """Make (batch, n) waveforms numerator / denominator times as long: (batch, round(n · ratio)) float32.

    Analysis and synthesis frames pair one to one (hops of denominator · k and numerator · k samples), so
    magnitudes are never interpolated; phases advance by each bin's measured frequency (Flanagan & Golden
    1966; Laroche & Dolson 1999, eq. 5–8). Both numbers are at most :data:`LARGEST_HOP`.
    """
    scale = LARGEST_HOP // max(numerator, denominator)
    analysis, synthesis = denominator * scale, numerator * scale
    device = waveforms.device
    window = torch.hann_window(N_FFT, device=device)
    spectrum = torch.stft(
        waveforms, N_FFT, analysis, window=window, center=True, pad_mode="constant", return_complex=True
    )
    bins = torch.arange(N_FFT // 2 + 1, device=device, dtype=torch.float64)
    omega = 2 * math.pi / N_FFT * bins  # rad per sample, the centre of each bin
    expected = _wrap(omega * analysis).to(torch.float32)[:, None]
    centre_advance = _wrap(omega * synthesis).to(torch.float32)[:, None]

    phase = torch.angle(spectrum)
    deviation = _wrap(phase[..., 1:] - phase[..., :-1] - expected)  # rad per analysis hop
    advance = _wrap(centre_advance + deviation.mul_(synthesis / analysis))
    phase[..., 1:] = advance  # wrapped before the sum: float32 keeps 1e-4 rad over a clip
    stretched = torch.polar(spectrum.abs(), phase.cumsum(-1))
    length = round(waveforms.shape[-1] * numerator / denominator)
    return torch.istft(stretched, N_FFT, synthesis, window=window, center=True, length=length)


def rational_ratio(ratio: float) -> tuple[int, int]:
    """A fraction close to ``ratio`` with both parts at most :data:`LARGEST_HOP`.

    The one with the smallest denominator within 0.1 cents (1/1200 octave each), or the closest where none
    is: less than 4 cents off for ratios from 1/2 to 2.
    """
    pairs = [(round(ratio * d), d) for d in range(1, LARGEST_HOP + 1) if 0 < round(ratio * d) <= LARGEST_HOP]
    errors = [abs(1200 * math.log2(numerator / denominator / ratio)) for numerator, denominator in pairs]
    good = next((i for i, error in enumerate(errors) if error <= _ENOUGH_CENTS), None)
    return pairs[good if good is not None else errors.index(min(errors))]


def _wrap(phase: torch.Tensor) -> torch.Tensor:
    """Principal value of a phase in radians, in [−π, π]."""
    return phase - (2 * math.pi) * torch.round(phase / (2 * math.pi))
