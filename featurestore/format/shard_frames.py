"""The chunks of a shard from a stranger: that none of them is a bomb, found before any is decoded.

zarrs (0.2) allocates what a zstd frame announces, and ends the whole process where it cannot; of frames in a
row it takes the sum, of which a kilobyte can announce gigabytes. So every chunk must be one frame that
announces just the bytes of a chunk; libzstd itself then stops at these.

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
    """Make sure that decoding the shard ``name``, the file ``path``, takes no more than its chunks' bytes.

    Costs some 20 µs a chunk, once the file has been read. Raises :class:`StoreDamagedError`.
    """
    feature = name.split("/")[1]
    storage = spec.storage
    size = {"float16": 2, "float32": 4}[storage.dtype]
    chunk = storage.chunk_clips * spec.coefficients[feature] * spec.frames * size
    chunks = storage.shard_clips // storage.chunk_clips
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _check(memoryview(data).toreadonly(), chunks, chunk, storage.codec)
    except (ValueError, IndexError, OSError, struct.error, pa.ArrowException) as error:
        raise StoreDamagedError(
            f"{name} is no shard of {chunks} chunks of {chunk:,} bytes ({error}); do not use this store"
        ) from error


def check_coordinate(data: bytes, name: str, size: int, codec: str) -> None:
    """The same for the one chunk of a coordinate of ``size`` numbers. Raises :class:`StoreDamagedError`."""
    try:
        _check_chunk(memoryview(data), 8 * size, codec)
    except (ValueError, IndexError, OSError, struct.error, pa.ArrowException) as error:
        raise StoreDamagedError(
            f"{name} is no chunk of {size:,} numbers ({error}); do not use this store"
        ) from error


def _check(data: memoryview, chunks: int, chunk: int, codec: str) -> None:
    with data:
        index = 16 * chunks + _INDEX_CHECKSUM
        if len(data) < index:
            raise ValueError(f"{len(data)} bytes are too few")
        end = len(data) - index
        for offset, size in struct.iter_unpack("<QQ", data[end : end + 16 * chunks]):
            if offset == size == _ABSENT:
                continue
            if offset > end or size > end - offset:
                raise ValueError(f"a chunk of {size:,} bytes at {offset:,} lies outside of it")
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
        raise ValueError(f"a chunk announces {inner:,} bytes in {own:,} of Blosc")


def _announced_bytes(frame: memoryview) -> int:
    """Bytes that the one zstd frame, which fills ``frame``, says it holds."""
    if frame[:4] != _ZSTD_MAGIC:
        raise ValueError("a chunk is no zstd frame")
    descriptor = frame[4]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    width = (single, 2, 4, 8)[descriptor >> 6]
    if descriptor & 0b11 or not width:  # a dictionary, or no size told
        raise ValueError("a chunk's zstd frame does not tell its size")
    position = 5
    if not single:
        exponent, mantissa = frame[5] >> 3, frame[5] & 7
        if (window := (1 << (10 + exponent)) * (8 + mantissa) // 8) > _MOST_WINDOW:
            raise ValueError(f"a chunk's zstd frame asks for a window of {window:,} bytes")
        position = 6
    announced = int.from_bytes(frame[position : position + width], "little") + (256 if width == 2 else 0)
    position += width
    last = 0
    while not last:
        if position + 3 > len(frame):
            raise ValueError("a chunk's zstd frame is cut off")
        header = int.from_bytes(frame[position : position + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == _RESERVED_BLOCK:
            raise ValueError("a chunk's zstd frame holds a reserved block")
        position += 3 + (1 if kind == _RLE_BLOCK else size)
    if position + 4 * checksum != len(frame):
        raise ValueError("a chunk is not one zstd frame")
    return announced
