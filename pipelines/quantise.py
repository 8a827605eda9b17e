"""Rounds numbers so that they compress better: ``storage.codec`` ``bitround`` and ``fixed`` (docs/codecs.md).

Numbers are rounded here, not by a filter of the Zarr arrays, so that stores contain plain float32 for any
Zarr reader, and statistics describe the stored numbers. NaN and infinities are unchanged; rounding twice
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from schemas.spec import StoreSpec

KEEP_BITS = 13
"""Bits of a float32's mantissa that ``bitround`` keeps: three more than float16 has, for an eighth of its
error. Any change of this or of :data:`FIXED_STEPS` requires a new ``FEATURE_VERSION``."""

FIXED_STEPS: Mapping[str, float] = MappingProxyType(
    {
        "mel": 2**-5,  # dB
        "mfcc": 2**-5,  # dB
        "delta": 2**-9,  # dB per frame
        "delta2": 2**-10,  # dB per frame²
        "chroma": 2**-13,  # share of the frame's largest, 0…1
        "rms": 2**-16,  # amplitude of full scale
        "zcr": 2**-14,  # crossings per sample, 0…1: exact where n_fft is a power of two
    }
)
"""Step of ``fixed`` by feature, in the unit of the feature. Steps are coarse enough to take no more bytes
than float16, and fine enough that the largest and the root-mean-square error on speech do not exceed those of
float16 (docs/codecs.md). They are powers of two, so that float32 represents every multiple exactly."""

_MANTISSA_BITS = 23

Quantise = Callable[[torch.Tensor], torch.Tensor]


def quantiser(spec: StoreSpec, device: torch.device) -> Quantise | None:
    """Rounding of a float32 table (…, coefficient) with all features concatenated; None: no rounding."""
    match spec.storage.codec:
        case "bitround":
            return round_bits
        case "fixed":
            counts = spec.coefficients.items()  # without encoders: their numbers have no common scale
            steps = [FIXED_STEPS[name] for name, count in counts for _ in range(count)]
            on_device = torch.tensor(steps, dtype=torch.float32, device=device)
            return lambda table: round_to_steps(table, on_device)
        case _:
            return None


def round_bits(table: torch.Tensor, keep_bits: int = KEEP_BITS) -> torch.Tensor:
    """Round float32 numbers to ``keep_bits`` (1…22) bits of mantissa, ties to even.

    The relative error of normal numbers is at most 2^−(keep_bits + 1). Equal to ``numcodecs.BitRound``
    (Klöwer et al. 2021), on any device.
    """
    dropped = _MANTISSA_BITS - keep_bits
    bits = table.view(torch.int32)
    odd = (bits >> dropped) & 1
    rounded = (bits + odd + (2 ** (dropped - 1) - 1)) & -(2**dropped)
    return torch.where(table.isnan(), table, rounded.view(torch.float32))


def round_to_steps(table: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Round to multiples of ``steps``, powers of two that broadcast against ``table``; ties to even.

    The error is at most half a step. Equal to ``numcodecs.FixedScaleOffset`` with offset 0 and float32 as
    both types, on any device; zero is unsigned.
    """
    return (table / steps).round_().mul_(steps).add_(0.0)
