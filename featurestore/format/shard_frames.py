"""Checks that no chunk of an untrusted shard is a decompression bomb, before any chunk is decoded.

zarrs (0.2) allocates whatever a zstd frame announces and ends the process if it cannot. For consecutive
frames it adds up the sizes, so a kilobyte can announce gigabytes. Every chunk must therefore be one frame
that announces exactly the size of a chunk; libzstd then stops there.

Formats: Zarr 3's ``sharding_indexed``; RFC 8878 (zstd); Blosc 1's header.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import pyarrow as pa

from schemas.errors import StoreDamagedError
from schemas.spec import StoreSpec

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MOST_WINDOW = 8 * 2**20
_RESERVED_BLOCK = 3
_RLE_BLOCK = 1
_BLOSC_HEADER = struct.Struct("<4B3I")
_INDEX_CHECKSUM = 4
_ABSENT = 2**64 - 1


def check_shard(path: Path, name: str, spec: StoreSpec) -> None:
    """Check that decoding the shard ``name`` (the file ``path``) takes no more than the size of its chunks.

    Takes about 20 µs per chunk once the file has been read. Raises :class:`StoreDamagedError` otherwise.
    """
    feature = name.split("/")[1]
    storage = spec.storage
    size = {"float16": 2, "float32": 4}[storage.dtype]
    rows, frames = spec.shapes[feature]
    chunk = storage.chunk_clips * (rows // spec.layer_counts[feature]) * frames * size
    chunks = storage.shard_clips // storage.chunk_clips
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _check(memoryview(data).toreadonly(), chunks, chunk, storage.codec)
    except (ValueError, IndexError, OSError, struct.error, pa.ArrowException) as error:
        raise StoreDamagedError(
            f"{name} is not a shard of {chunks} chunks of {chunk:,} bytes ({error}); do not use this store"
        ) from error


def check_coordinate(data: bytes, name: str, size: int, codec: str) -> None:
    """Check the only chunk of a coordinate of ``size`` bytes in the same way.

    Raises :class:`StoreDamagedError` if it is not such a chunk.
    """
    try:
        _check_chunk(memoryview(data), size, codec)
    except (ValueError, IndexError, OSError, struct.error, pa.ArrowException) as error:
        raise StoreDamagedError(
            f"{name} is not a chunk of {size:,} bytes ({error}); do not use this store"
        ) from error


def _check(data: memoryview, chunks: int, chunk: int, codec: str) -> None:
    with data:
        index = 16 * chunks + _INDEX_CHECKSUM
        if len(data) < index:
            raise ValueError(f"its {len(data)} bytes are too few")
        end = len(data) - index
        for offset, size in struct.iter_unpack("<QQ", data[end : end + 16 * chunks]):
            if offset == size == _ABSENT:
                continue
            if offset > end or size > end - offset:
                raise ValueError(f"a chunk of {size:,} bytes at {offset:,} lies outside it")
            with data[offset : offset + size] as stored:
                _check_chunk(stored, chunk, codec)


def _check_chunk(stored: memoryview, chunk: int, codec: str) -> None:
    if codec == "none":
        if len(stored) != chunk:
            raise ValueError(f"a chunk has {len(stored):,} bytes")
        return
    announced = _announced_bytes(stored)
    if codec == "zstd":
        if announced != chunk:
            raise ValueError(f"a chunk announces {announced:,} bytes")
        return
    if not _BLOSC_HEADER.size <= announced <= chunk + chunk // 128 + 1024:
        raise ValueError(f"a chunk announces {announced:,} bytes for Blosc")
    head = pa.CompressedInputStream(pa.py_buffer(bytes(stored)), "zstd").read(_BLOSC_HEADER.size)
    *_, inner, _, own = _BLOSC_HEADER.unpack(head)
    if inner != chunk or own != announced:
        raise ValueError(f"a chunk announces {inner:,} bytes in {own:,} bytes of Blosc")


def _announced_bytes(frame: memoryview) -> int:
    """Decompressed size that the zstd frame announces; it must be the only one and fill ``frame``."""
    if frame[:4] != _ZSTD_MAGIC:
        raise ValueError("a chunk is not a zstd frame")
    descriptor = frame[4]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    width = (single, 2, 4, 8)[descriptor >> 6]
    if descriptor & 0b11 or not width:  # it needs a dictionary, or gives no size
        raise ValueError("the zstd frame of a chunk does not give its size")
    position = 5
    if not single:
        exponent, mantissa = frame[5] >> 3, frame[5] & 7
        if (window := (1 << (10 + exponent)) * (8 + mantissa) // 8) > _MOST_WINDOW:
            raise ValueError(f"the zstd frame of a chunk asks for a window of {window:,} bytes")
        position = 6
    announced = int.from_bytes(frame[position : position + width], "little") + (256 if width == 2 else 0)
    position += width
    last = 0
    while not last:
        if position + 3 > len(frame):
            raise ValueError("the zstd frame of a chunk is cut off")
        header = int.from_bytes(frame[position : position + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == _RESERVED_BLOCK:
            raise ValueError("the zstd frame of a chunk contains a reserved block")
        position += 3 + (1 if kind == _RLE_BLOCK else size)
    if position + 4 * checksum != len(frame):
        raise ValueError("a chunk is not a single zstd frame")
    return announced
