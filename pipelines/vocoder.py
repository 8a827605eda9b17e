"""Phase vocoder: one analysis of a batch, from which stretched and pitch-shifted copies are synthesised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F

from pipelines.constants import hann_window, power_of_two

N_FFT = 1078
"""Default length of the analysis window up to 22,050 Hz, in samples. From it, shifts of two semitones up and
down, which are common in recipes, lead to sizes that are fast to transform, so that both share one
analysis."""

HOP = 200
"""Default hop between analysis frames up to 22,050 Hz, in samples."""

SIZES = (900, 1150)
"""Shortest and longest analysis window that a pitch view may choose up to 22,050 Hz."""

_RATE = 22_050

_LARGEST_PRIME = 11
_PITCH_TOLERANCE_CENTS = 1.0


@dataclass(frozen=True)
class Analysis:
    """Short-time spectra of a batch as magnitudes and measured frequencies, with windows of ``size`` samples.

    ``magnitude`` : (clip, frame, bin) float32; ``phase`` : (clip, 1, bin) float32 rad, of the first frame.
    ``deviation`` : (clip, frame − 1, bin) float32, the phase advance from frame to frame minus that of the
    bin's centre frequency, rad in [−π, π]. Frame t is centred on sample t · ``hop``.
    """

    size: int
    hop: int
    magnitude: torch.Tensor
    phase: torch.Tensor
    deviation: torch.Tensor


def analyse(waveforms: torch.Tensor, *, size: int = N_FFT, hop: int = HOP) -> Analysis:
    """Analyse (clip, n) float32 waveforms with a periodic Hann window of ``size`` samples (even).

    The signal is zero before its start and after its end; frames continue until they contain no sound.
    """
    frames = 1 + (waveforms.shape[-1] + size // 2 - 1) // hop
    after = max(0, size // 2 + hop * (frames - 1) - waveforms.shape[-1])
    padded = F.pad(waveforms, (size // 2, after))
    window = hann_window(size, waveforms.device)
    spectrum = torch.fft.rfft(padded.unfold(-1, size, hop)[:, :frames] * window)
    # Both parts are copied, as these functions are several times slower on interleaved numbers.
    real, imaginary = spectrum.real.contiguous(), spectrum.imag.contiguous()
    phase = torch.atan2(imaginary, real)
    deviation = (phase[:, 1:] - phase[:, :-1]).sub_(_centre_advance(size, hop, waveforms.device))
    return Analysis(
        size,
        hop,
        magnitude=real.square_().addcmul_(imaginary, imaginary).sqrt_(),
        phase=phase[:, :1].clone(),
        deviation=_wrap_(deviation),
    )


def synthesise(analysis: Analysis, *, size: int, hop: int, length: int) -> torch.Tensor:
    """Synthesise (clip, length) float32 waveforms from frames of ``size`` samples every ``hop`` samples.

    With the size of the analysis and another hop, the clip is stretched by the ratio of the hops. With the
    hop of the analysis and another size, each frame is resampled by its Fourier transform, which scales all
    frequencies by the ratio of the sizes and keeps the duration. Phases advance by each bin's measured
    frequency (Flanagan & Golden 1966; Laroche & Dolson 1999, eq. 5–8), scaled like the frequencies and the
    hop; magnitudes are not interpolated. The frames are weighted by a Hann window again and divided by the
    sum of the squared windows (Griffin & Lim 1984).
    """
    device = analysis.magnitude.device
    bins = min(analysis.size, size) // 2 + 1
    factor = hop * analysis.size / (analysis.hop * size)
    advance = (analysis.deviation[..., :bins] * factor).add_(_centre_advance(size, hop, device)[:bins])
    phase = torch.cat([analysis.phase[..., :bins], advance], dim=1).cumsum_(1)
    magnitude = analysis.magnitude[..., :bins]
    spectrum = torch.complex(torch.cos(phase).mul_(magnitude), torch.sin(phase).mul_(magnitude))
    frames = torch.fft.irfft(spectrum, n=size).mul_(_synthesis_window(size, analysis.size, device))
    start = size // 2
    sound = _overlap_add(frames, hop)[:, start : start + length]
    out = sound.new_empty(len(sound), length)
    kept = sound.shape[-1]
    torch.div(sound, _weight(size, hop, start, kept, device), out=out[:, :kept])
    out[:, kept:] = 0
    return out


def window_scale(sample_rate: int) -> float:
    """Factor on windows and hops above 22,050 Hz: a window must contain a few periods of a low voice."""
    return max(1.0, sample_rate / _RATE)


@lru_cache(maxsize=4096)
def frame_sizes(ratio: float, scale: float = 1.0) -> tuple[int, int]:
    """Even sizes of analysis and synthesis frames with the quotient ``ratio``, from 1/2 to 2.

    ``scale`` : factor of :func:`window_scale`.

    Sizes without a prime factor above 11 are fast to transform. The result is the pair of such sizes within a
    cent (1/1200 octave) of the ratio that has its analysis size closest to :data:`N_FFT`, or else the pair
    closest to the ratio.
    """
    shortest, longest = (2 * round(limit * scale / 2) for limit in SIZES)
    sizes = [size for size in range(shortest, longest + 1, 2) if is_smooth(size)]
    sizes.sort(key=lambda size: abs(size - N_FFT * scale))
    pairs = [(size, 2 * round(size / ratio / 2)) for size in sizes]
    errors = [abs(1200 * math.log2(size / shifted / ratio)) for size, shifted in pairs]
    # A prime factor above 11 multiplies the time, and counts as much as an error of one more cent.
    costs = [
        error + (0.0 if is_smooth(shifted) else _PITCH_TOLERANCE_CENTS)
        for error, (_, shifted) in zip(errors, pairs, strict=True)
    ]
    good = next((i for i, cost in enumerate(costs) if cost <= _PITCH_TOLERANCE_CENTS), None)
    return pairs[good if good is not None else costs.index(min(costs))]


def is_smooth(size: int) -> bool:
    """Whether ``size`` has no prime factor above 11, so that it is fast to transform."""
    for prime in (2, 3, 5, 7, _LARGEST_PRIME):
        while size % prime == 0:
            size //= prime
    return size == 1


def _overlap_add(frames: torch.Tensor, hop: int) -> torch.Tensor:
    """Sum (clip, frame, size) frames that start every ``hop`` samples: (clip, samples)."""
    clips, count, size = frames.shape
    blocks = -(-size // hop)
    out = frames.new_zeros(clips, count + blocks - 1, hop)
    for block in range(blocks):
        part = frames[..., block * hop : (block + 1) * hop]
        out[:, block : block + count, : part.shape[-1]] += part
    return out.flatten(1)


def _weight(size: int, hop: int, start: int, length: int, device: torch.device) -> torch.Tensor:
    """Sum of the squared windows over samples ``start`` … ``start + length`` of an endless row of frames:
    (length,).
    """
    return _weights(size, hop, power_of_two(start + length), device)[start : start + length]


@lru_cache(maxsize=32)
def _weights(size: int, hop: int, length: int, device: torch.device) -> torch.Tensor:
    """The first ``length`` samples of the sum."""
    first, period = _weight_pattern(size, hop)
    periods = max(0, -(-(length - len(first)) // hop))
    return torch.cat([first, period.repeat(periods)])[:length].to(device)


@lru_cache(maxsize=256)
def _weight_pattern(size: int, hop: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum until all overlapping windows have started, and the period of ``hop`` samples after that."""
    blocks = -(-size // hop)
    squares = torch.hann_window(size).square().expand(1, 2 * blocks, size)
    weight = _overlap_add(squares, hop)[0].clamp(min=1e-3)
    return weight[: blocks * hop], weight[blocks * hop : (blocks + 1) * hop]


@lru_cache(maxsize=512)
def _synthesis_window(size: int, analysis_size: int, device: torch.device) -> torch.Tensor:
    """Hann window at the scale of frames that are resampled from ``analysis_size`` samples: (size,)."""
    return (torch.hann_window(size) * (size / analysis_size)).to(device)


@lru_cache(maxsize=1024)
def _centre_advance(size: int, hop: int, device: torch.device) -> torch.Tensor:
    """Phase advance of each bin's centre frequency in ``hop`` samples, rad in [−π, π]: (size // 2 + 1,)."""
    turns = (torch.arange(size // 2 + 1) * hop % size).to(torch.float64) / size
    return ((turns - turns.round()) * (2 * math.pi)).to(torch.float32).to(device)


def _wrap_(phase: torch.Tensor) -> torch.Tensor:
    """Wrap a phase in radians to [−π, π], in place."""
    return phase.sub_(torch.round(phase / (2 * math.pi)).mul_(2 * math.pi))
