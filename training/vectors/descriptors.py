"""Frame descriptors: stored features, and values derived from them frame by frame.

::

    mel (dB)  ──▶ 32 wide bands · 40 lowest bands · centre of the low bands · crest
              ──▶ flux of the wide bands · roll-off · shares of five regions
    mfcc · 5 delta · 20 delta2 · 20 chroma · 50 zcr · 5 ln rms · imported features

The factors give all descriptors a spread similar to that of decibels. Imported features keep their units.
Descriptors of features that are not in the store are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

WIDE_BANDS = 32
LOW_BANDS = 40
"""Lowest bands that are descriptors; all of them if mel has fewer."""

_FACTORS = {"mfcc": 1.0, "delta": 5.0, "delta2": 20.0, "chroma": 20.0, "zcr": 50.0}
"""Factors of the stored features that are used as descriptors, in order."""

_COMPUTED = {"mel", "rms", *_FACTORS}

_CENTRED = slice(2, 34)
"""Bands whose centre of energy reflects the pitch and the first formant."""

_CENTRE_DB = 6.0
"""A band that is this much louder has e times the weight in the centre."""

_ROLL_OFF = (0.25, 0.5, 0.75, 0.9)
_REGIONS = (0.0, 12 / 128, 30 / 128, 60 / 128, 90 / 128, 1.0)
"""Edges of five regions, as shares of the bands."""

_FLOOR = 1e-8


def descriptors(x: Tensor, columns: Mapping[str, slice]) -> Tensor:
    """Stored features (B, C, T) → descriptors (B, D, T) float32.

    ``columns`` gives the rows of each feature in C; its order matters only for imported ones.
    """
    found = []
    if "mel" in columns:
        found += _of_mel(x[:, columns["mel"]].float())
    for name, factor in _FACTORS.items():
        if name in columns:
            found.append(factor * x[:, columns[name]].float())
    if "rms" in columns:
        found.append(5.0 * (x[:, columns["rms"]].float() + 1e-5).log())
    found += [x[:, rows].float() for name, rows in columns.items() if name not in _COMPUTED]
    return torch.cat(found, dim=1)


def descriptor_columns(coefficients: Mapping[str, int]) -> dict[str, slice]:
    """Which of the descriptors D come from each feature, for features with these numbers of rows."""
    order = [name for name in ("mel", *_FACTORS, "rms") if name in coefficients]
    order += [name for name in coefficients if name not in _COMPUTED]
    columns, start = {}, 0
    for name in order:
        count = _count_of_mel(coefficients[name]) if name == "mel" else coefficients[name]
        columns[name] = slice(start, start + count)
        start += count
    return columns


def descriptor_count(coefficients: Mapping[str, int]) -> int:
    """Number of descriptors D for features with these numbers of rows."""
    return max((each.stop for each in descriptor_columns(coefficients).values()), default=0)


def _count_of_mel(bands: int) -> int:
    return 2 * WIDE_BANDS + min(LOW_BANDS, bands) + 2 + len(_ROLL_OFF) + len(_REGIONS) - 1


def _of_mel(mel: Tensor) -> list[Tensor]:
    """Descriptors of ``mel`` (B, bands, T) in dB, (B, ·, T) each."""
    wide = _wide(mel)
    low = mel[:, _CENTRED]
    band = torch.arange(low.shape[1], device=mel.device, dtype=mel.dtype)[:, None]
    centre = (torch.softmax(low / _CENTRE_DB, dim=1) * band).sum(1, keepdim=True)
    crest = mel.amax(1, keepdim=True) - mel.mean(1, keepdim=True)
    return [wide, mel[:, :LOW_BANDS], centre, crest, _flux(mel), *_shape(mel)]


def _wide(values: Tensor) -> Tensor:
    """(B, bands, T) → (B, 32, T): means of neighbouring bands."""
    return F.adaptive_avg_pool2d(values[:, None], (WIDE_BANDS, values.shape[2]))[:, 0]


def _flux(mel: Tensor) -> Tensor:
    """Increase of each wide band from frame to frame, (B, 32, T) dB; decreases count as 0."""
    return _wide(F.pad((mel[:, :, 1:] - mel[:, :, :-1]).clamp(min=0), (1, 0)))


def _shape(mel: Tensor) -> list[Tensor]:
    """Bands below which given shares of the power lie (B, 4, T), and levels of five regions (B, 5, T) dB."""
    power = 10 ** (mel / 10)
    total = power.sum(1, keepdim=True)
    cumulated = power.cumsum(1) / total
    bands = mel.shape[1]
    roll_off = torch.stack([(cumulated < share).sum(1).float() for share in _ROLL_OFF], 1) * (32 / bands)
    edges = [round(share * bands) for share in _REGIONS]
    levels = [power[:, a:b].sum(1) for a, b in pairwise(edges)]
    whole = 10 * (total + _FLOOR).log10()
    return [roll_off, 10 * (torch.stack(levels, 1) + _FLOOR).log10() - whole]
