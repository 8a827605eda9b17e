"""Band-limited resampling with its own rational ratio for each clip, for all clips of a batch at once.

The filter is that of :mod:`pipelines.resample`, where all clips share a ratio.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from pipelines.constants import positions
from pipelines.ratio import LARGEST
from pipelines.resample import KAISER_BETA, ROLLOFF, ZERO_CROSSINGS

_BLOCK = 128
"""Smallest number of output samples per row of the matrix products."""
_OUTPUTS = max(LARGEST, 2 * _BLOCK)


def resample_by_clip(
    waveforms: torch.Tensor, words: torch.Tensor, smallest: float, length: int
) -> torch.Tensor:
    """Resample (clip, n) float32 to the first ``length`` samples at numerator / denominator of the rate.

    ``words`` : (2, clip) int64, each clip's numerator and denominator, at most :data:`LARGEST`.
    ``smallest`` : a lower bound of their quotients, from which the shapes follow.
    """
    numerator, denominator = words
    several = (_BLOCK + numerator - 1) // numerator
    outputs, inputs = several * numerator, several * denominator
    reach, taps = _reach_and_taps(smallest)
    rows = -(-length // _BLOCK)
    end = (rows - 1) * math.ceil(_OUTPUTS / smallest) + taps
    padded = F.pad(waveforms, (reach, max(0, end - reach - waveforms.shape[1])))
    starts = positions(rows, words.device) * inputs[:, None]
    index = starts[:, :, None] + positions(taps, words.device)
    blocks = padded.gather(1, index.flatten(1)).view(index.shape)
    resampled = torch.bmm(blocks, _kernels(outputs, inputs, reach, taps))
    sample = positions(length, words.device)
    row = sample // outputs[:, None]
    place = row * _OUTPUTS + (sample - row * outputs[:, None])
    moved: torch.Tensor = resampled.flatten(1).gather(1, place)
    return moved


def resample_bytes(length: int, smallest: float) -> int:
    """Device memory of :func:`resample_by_clip` per clip at its peak: weights in float64, or blocks and their
    indices.
    """
    _, taps = _reach_and_taps(smallest)
    return max(64 * taps * _OUTPUTS, 16 * taps * -(-length // _BLOCK)) + 12 * length


def _reach_and_taps(smallest: float) -> tuple[int, int]:
    """Inputs before a block that its filters reach, and all inputs that they use."""
    reach = math.ceil(ZERO_CROSSINGS / (ROLLOFF * min(1.0, smallest)))
    return reach, math.ceil(_OUTPUTS / smallest) + 2 * reach


def _kernels(outputs: torch.Tensor, inputs: torch.Tensor, reach: int, taps: int) -> torch.Tensor:
    """Weights of the inputs of a block and of their neighbours, (clip, taps, _OUTPUTS) float32."""
    ratio = outputs.double() / inputs
    cutoff = (ratio.clamp(max=1.0) * ROLLOFF)[:, None, None]
    place = positions(_OUTPUTS, outputs.device) / ratio[:, None]
    crossing = ((positions(taps, outputs.device) - reach)[:, None] - place[:, None]) * cutoff
    inside = (crossing / ZERO_CROSSINGS).clamp_(-1, 1)
    window = torch.special.i0((1 - inside.square_()).sqrt_().mul_(KAISER_BETA)) / _I0_OF_BETA
    weights: torch.Tensor = torch.sinc(crossing) * window * cutoff
    return weights.masked_fill_(crossing.abs_() >= ZERO_CROSSINGS, 0.0).float()


_I0_OF_BETA = float(torch.special.i0(torch.tensor(KAISER_BETA, dtype=torch.float64)))
