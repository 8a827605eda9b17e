"""Numbers rounded so that they compress: ``storage.codec`` ``bitround`` and ``fixed``, docs/codecs.md.

They are rounded here and not by a filter of the Zarr arrays: what is stored is plain float32 that any Zarr
reader reads, and statistics are of the numbers as stored. NaN and infinities stay as they are; rounding
twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from schemas.spec import StoreSpec

KEEP_BITS = 13
"""Bits of a float32's mantissa that ``bitround`` keeps: three more than float16 has, so an eighth of its
error. ``FEATURE_VERSION`` rises with every change of this or of :data:`STEPS`."""

STEPS: Mapping[str, float] = MappingProxyType(
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
"""Feature → distance of the numbers that ``fixed`` keeps, in the feature's unit. Coarse enough to take
no more bytes than float16, fine enough that the largest and the root-mean-square error on speech are at most
float16's (docs/codecs.md). Powers of two, so that float32 holds every multiple exactly."""

_MANTISSA_BITS = 23

Quantise = Callable[[torch.Tensor], torch.Tensor]


def quantiser(spec: StoreSpec, device: torch.device) -> Quantise | None:
    """What rounds a float32 table (…, coefficient), all features side by side; None: nothing is rounded."""
    match spec.storage.codec:
        case "bitround":
            return bit_rounded
        case "fixed":
            steps = [STEPS[name] for name, count in spec.coefficients.items() for _ in range(count)]
            on_device = torch.tensor(steps, dtype=torch.float32, device=device)
            return lambda table: on_steps(table, on_device)
        case _:
            return None


def bit_rounded(table: torch.Tensor, keep_bits: int = KEEP_BITS) -> torch.Tensor:
    """Float32 numbers with ``keep_bits`` (1…22) bits of mantissa: the nearest such number, ties to even.

    Normal numbers change by at most 2^−(keep_bits + 1) of themselves. The same as ``numcodecs.BitRound``
    (Klöwer et al. 2021), on any device.
    """
    dropped = _MANTISSA_BITS - keep_bits
    bits = table.view(torch.int32)
    odd = (bits >> dropped) & 1
    rounded = (bits + odd + (2 ** (dropped - 1) - 1)) & -(2**dropped)
    return torch.where(table.isnan(), table, rounded.view(torch.float32))


def on_steps(table: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The nearest multiples of ``steps``, powers of two that broadcast against ``table``; ties to even.

    Numbers change by at most half a step. The same as ``numcodecs.FixedScaleOffset`` with offset 0 and
    float32 as both types, on any device; zero has no sign.
    """
    return (table / steps).round_().mul_(steps).add_(0.0)
