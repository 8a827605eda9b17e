"""Fractions for changes of speed and sample rate, and the samples that they lead to."""

from __future__ import annotations

import math

LARGEST = 240
"""Largest numerator and denominator of a ratio."""

_TOLERANCE_CENTS = 0.1

_FRACTION_ERROR = 2 ** (4 / 1200)
"""The fraction that approximates a drawn factor is less than 4 cents off."""


def rational_ratio(ratio: float) -> tuple[int, int]:
    """A fraction close to ``ratio`` with both parts at most :data:`LARGEST`.

    The fraction with the smallest denominator within 0.1 cents (1 cent is 1/1200 octave), or else the closest
    one, which is less than 4 cents off for ratios from 1/2 to 2.
    """
    pairs = [(round(ratio * d), d) for d in range(1, LARGEST + 1) if 0 < round(ratio * d) <= LARGEST]
    errors = [abs(1200 * math.log2(numerator / denominator / ratio)) for numerator, denominator in pairs]
    good = next((i for i, error in enumerate(errors) if error <= _TOLERANCE_CENTS), None)
    return pairs[good if good is not None else errors.index(min(errors))]


def source_samples(length: int, ratio: tuple[int, int]) -> int:
    """Samples of the recording that a view faster by ``ratio`` needs to fill ``length`` samples."""
    faster, slower = ratio
    return -(-length * faster // slower)


def valid_samples(recorded: int, length: int, ratio: tuple[int, int]) -> int:
    """Valid samples in a view faster by ``ratio`` of ``recorded`` samples."""
    faster, slower = ratio
    return min(length, -(-min(recorded, source_samples(length, ratio)) * slower // faster))


def ratio_bounds(low: float, high: float) -> tuple[float, float]:
    """Bounds of the fractions that approximate factors from ``low`` to ``high``."""
    return low / _FRACTION_ERROR, high * _FRACTION_ERROR
