"""Candidate encodings of feature arrays: those offered by ``--codec``, and others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from featurestore.format.codecs import compressors
from pipelines.quantise import FIXED_STEPS, round_bits, round_to_steps
from schemas.spec import StorageSpec, StoreSpec

Table = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Candidate:
    """An encoding: how numbers are rounded, then how bytes are compressed.

    ``options`` : those of ``ser-features build`` that choose it; "" if none do.
    """

    name: str
    dtype: str
    compressors: Any
    options: str = ""
    quantise: Callable[[Table], Table] | None = None

    def stored(self, table: Table) -> Table:
        """Numbers to store, (view, clip, coefficient, frame), from float32 numbers."""
        numbers = table if self.quantise is None else self.quantise(table)
        return numbers.astype(self.dtype, copy=False)


def candidates(spec: StoreSpec) -> list[Candidate]:
    """All candidates by dtype."""
    zstd = {level: ZstdCodec(level=level, checksum=True) for level in (-1, 1, 3)}
    wide, narrow = StorageSpec(dtype="float32", codec="blosc"), StorageSpec(codec="blosc")
    rounded = StorageSpec(dtype="float32", codec="bitround")
    return [
        Candidate("float16, zstd 1", "float16", compressors(StorageSpec()), "the default"),
        Candidate("float16, zstd −1", "float16", zstd[-1]),
        Candidate("float16, zstd 3", "float16", zstd[3]),
        Candidate("float16, zstd 1, no checksum", "float16", ZstdCodec(level=1)),
        Candidate("float16, blosc", "float16", compressors(narrow), "`--codec blosc`"),
        Candidate("float16, Blosc zstd shuffle, its own blocks", "float16", _blosc("zstd", 1, "shuffle")),
        Candidate("float16, Blosc lz4 shuffle", "float16", _blosc("lz4", 5, "shuffle")),
        Candidate("float16, Blosc lz4 bitshuffle", "float16", _blosc("lz4", 5, "bitshuffle")),
        Candidate(
            "float16, Blosc lz4 shuffle, crc32c", "float16", (_blosc("lz4", 5, "shuffle"), Crc32cCodec())
        ),
        Candidate("float16, crc32c", "float16", Crc32cCodec()),
        Candidate("float16, none", "float16", None, "`--codec none`"),
        Candidate("float32, zstd 1", "float32", zstd[1], "`--dtype float32`"),
        Candidate("float32, blosc", "float32", compressors(wide), "`--dtype float32 --codec blosc`"),
        Candidate("float32, none", "float32", None, "`--dtype float32 --codec none`"),
        Candidate("bitround, 7 bits", "float32", compressors(rounded), "", _bit_rounded(7)),
        Candidate("bitround, 10 bits", "float32", compressors(rounded), "", _bit_rounded(10)),
        Candidate(
            "bitround, 13 bits",
            "float32",
            compressors(rounded),
            "`--dtype float32 --codec bitround`",
            _bit_rounded(13),
        ),
        Candidate("bitround, 13 bits, zstd 1 alone", "float32", zstd[1], "", _bit_rounded(13)),
        Candidate("fixed, steps twice as wide", "float32", compressors(rounded), "", _on_steps(spec, 2.0)),
        Candidate(
            "fixed",
            "float32",
            compressors(StorageSpec(dtype="float32", codec="fixed")),
            "`--dtype float32 --codec fixed`",
            _on_steps(spec, 1.0),
        ),
        Candidate("fixed, zstd 1 alone", "float32", zstd[1], "", _on_steps(spec, 1.0)),
    ]


def _blosc(name: Any, level: int, shuffle: Any) -> BloscCodec:
    return BloscCodec(cname=name, clevel=level, shuffle=shuffle)


def _bit_rounded(keep_bits: int) -> Callable[[Table], Table]:
    return lambda table: round_bits(torch.from_numpy(table), keep_bits).numpy()


def _on_steps(spec: StoreSpec, wider: float) -> Callable[[Table], Table]:
    steps = [wider * FIXED_STEPS[name] for name, count in spec.coefficients.items() for _ in range(count)]
    column = torch.tensor(steps)[:, None]  # (coefficient, 1): frames are the last axis here
    return lambda table: round_to_steps(torch.from_numpy(table), column).numpy()
