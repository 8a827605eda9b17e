"""Compression of chunks for each ``storage.codec``; docs/codecs.md has the measurements.

zstd's checksum is the only one that zarr-python and zarrs both verify on every read path: zarrs skips a
``crc32c`` codec when it reads single chunks of a shard, and Blosc has no checksum.
"""

from __future__ import annotations

from typing import Any

from zarr.codecs import BloscCodec, ZstdCodec

from schemas.spec import StorageSpec

_LEVEL = 1
"""Level 3 takes twice as long and saves less than 1 %."""

_BLOCK_BYTES = 2**20
"""Size of Blosc's blocks. Its own smaller default costs 5 % more bytes and 30 to 40 % of the speed."""

_CHECKSUM_ALONE = -131_072
"""zstd's fastest level: it leaves Blosc's output uncompressed and adds a checksum."""


def compressors(storage: StorageSpec) -> Any:
    """The ``compressors`` argument of ``zarr.Group.create_array`` for the arrays of a store.

    All codecs except ``none`` are verified when a chunk is decoded. ``bitround`` and ``fixed`` compress as
    ``blosc`` does: their values were quantised before (:mod:`pipelines.quantise`) and need no filter on read.
    """
    if storage.codec == "none":
        return None
    if storage.codec == "zstd":
        return ZstdCodec(level=_LEVEL, checksum=True)
    shuffled = BloscCodec(cname="zstd", clevel=_LEVEL, shuffle="shuffle", blocksize=_BLOCK_BYTES)
    return (shuffled, ZstdCodec(level=_CHECKSUM_ALONE, checksum=True))
