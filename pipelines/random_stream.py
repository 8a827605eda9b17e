r"""Counter-based random numbers, keyed by seed, clip and view.

Every number is a pure function of (key, counter) and does not depend on batch, order, worker or device. The
generator is SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators") with a
second key word:

    z = (k0 + (counter + 1) · 0x9E3779B97F4A7C15) xor k1              (modulo 2⁶⁴)
    z = (z xor (z >> 30)) · 0xBF58476D1CE4E5B9
    z = (z xor (z >> 27)) · 0x94D049BB133111EB
    output = z xor (z >> 31)

With k1 = 0 this is SplitMix64 seeded with k0. The key (k0, k1) is BLAKE2b-128 of
``"{seed}\n{clip id}\n{view name}"`` in UTF-8, read as two little-endian words. Counters 0…15 are for
parameters, counters from :data:`NOISE_START` on are for noise.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from pipelines.constants import power_of_two

_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_MASK = 2**64 - 1
NOISE_START = 16


@dataclass(frozen=True)
class StreamKey:
    """Two 64-bit words that identify a random stream."""

    k0: int
    k1: int

    @property
    def hex(self) -> str:
        """32 hexadecimal digits: the 16 bytes of the BLAKE2b digest."""
        return (self.k0.to_bytes(8, "little") + self.k1.to_bytes(8, "little")).hex()


def stream_key(seed: int, clip_id: str, view_name: str) -> StreamKey:
    """Key of the random stream of one view of one clip."""
    digest = hashlib.blake2b(f"{seed}\n{clip_id}\n{view_name}".encode(), digest_size=16).digest()
    return StreamKey(int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little"))


def random_word(key: StreamKey, counter: int) -> int:
    """The 64-bit output at ``counter``, 0 ≤ output < 2⁶⁴."""
    z = ((key.k0 + (counter + 1) * _GAMMA) & _MASK) ^ key.k1
    z = ((z ^ (z >> 30)) * _MULTIPLIERS[0]) & _MASK
    z = ((z ^ (z >> 27)) * _MULTIPLIERS[1]) & _MASK
    return z ^ (z >> 31)


def uniform(key: StreamKey, counter: int, low: float, high: float) -> float:
    """A float64 drawn uniformly from [low, high): the top 53 bits of the output."""
    return low + (high - low) * (random_word(key, counter) >> 11) * 2.0**-53


def key_words(keys: Sequence[StreamKey]) -> npt.NDArray[np.int64]:
    """Both words of each key as (2, len(keys)) int64, bit patterns."""
    return np.array([[key.k0 for key in keys], [key.k1 for key in keys]], dtype=np.uint64).view(np.int64)


def normal(keys: torch.Tensor, count: int) -> torch.Tensor:
    """Standard normal noise, (clip, count) float32, by Box and Muller's transform.

    ``keys`` : (2, clip) int64, the words of each clip's key, where the noise is wanted.

    The output w at counter ``NOISE_START + i`` gives u = ((w >> 40) + 1) · 2⁻²⁴ and v = (w mod 2²⁴) · 2⁻²⁴,
    then samples 2i and 2i + 1 as √(−2 ln u) · cos 2πv and √(−2 ln u) · sin 2πv: a sample does not depend
    on ``count``.
    """
    words = _words(keys, (count + 1) // 2)
    radius = _shift_right(words, 40).add_(1).to(torch.float32).mul_(2.0**-24).log_().mul_(-2).sqrt_()
    angle = words.bitwise_and_(2**24 - 1).to(torch.float32).mul_(2 * math.pi * 2.0**-24)
    pairs = torch.stack((torch.cos(angle).mul_(radius), torch.sin(angle).mul_(radius)), dim=-1)
    return pairs.flatten(1)[:, :count]


def _words(keys: torch.Tensor, count: int) -> torch.Tensor:
    """Outputs at counters NOISE_START … NOISE_START + count − 1: (clip, count) int64, bit patterns."""
    k0, k1 = keys[:, :, None]
    z: torch.Tensor = (_steps(power_of_two(count), keys.device)[:count] + k0).bitwise_xor_(k1)
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        z = z.bitwise_xor_(_shift_right(z, shift)).mul_(_signed(multiplier))
    return z.bitwise_xor_(_shift_right(z, 31))


@lru_cache(maxsize=16)
def _steps(count: int, device: torch.device) -> torch.Tensor:
    """(counter + 1) · gamma at counters from NOISE_START on: (count,) int64, bit patterns."""
    counters = torch.arange(NOISE_START + 1, NOISE_START + 1 + count, dtype=torch.int64)
    steps: torch.Tensor = counters * _signed(_GAMMA)  # int64 products wrap, which is modulo 2⁶⁴
    return steps.to(device)


def _shift_right(words: torch.Tensor, bits: int) -> torch.Tensor:
    """Logical shift of 64-bit patterns (torch's own shift of int64 copies the sign)."""
    return (words >> bits).bitwise_and_(2 ** (64 - bits) - 1)


def _signed(word: int) -> int:
    """The int64 with the same bits as an unsigned 64-bit word."""
    return word - 2**64 if word >= 2**63 else word
