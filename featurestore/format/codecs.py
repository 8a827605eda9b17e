"""How chunks are compressed, by ``storage.codec``: docs/codecs.md has the measurements.

zstd's checksum is the only one that both zarr-python and zarrs check on every way of reading: zarrs does
not check a ``crc32c`` codec when it reads single chunks of a shard, and Blosc has no checksum.
"""

from __future__ import annotations

from typing import Any

from zarr.codecs import BloscCodec, ZstdCodec

from schemas.spec import StorageSpec

_LEVEL = 1
"""Level 3 takes twice the time and saves less than 1 %."""

_BLOCK_BYTES = 2**20
"""Of Blosc's blocks; its own choice, a fraction of this, costs 5 % more bytes and 30 to 40 % of the speed."""

_CHECKSUM_ALONE = -131_072
"""zstd's fastest level: it compresses nothing of what Blosc made, and adds its checksum."""


def compressors(storage: StorageSpec) -> Any:
    """What ``zarr.Group.create_array`` takes as ``compressors`` for the arrays of a store.

    All but ``none`` are checked when a chunk is decoded. ``bitround`` and ``fixed`` compress as ``blosc``
    does: their numbers were quantised before (:mod:`pipelines.quantise`) and need no filter to be read.
    """
    if storage.codec == "none":
        return None
    if storage.codec == "zstd":
        return ZstdCodec(level=_LEVEL, checksum=True)
    shuffled = BloscCodec(cname="zstd", clevel=_LEVEL, shuffle="shuffle", blocksize=_BLOCK_BYTES)
    return (shuffled, ZstdCodec(level=_CHECKSUM_ALONE, checksum=True))
