"""Shards assembled without zarr: chunks compressed one after another, an index, and its checksum.

Zarr sends every chunk through its event loop, which takes longer than compressing it and holds the
interpreter lock, so that several threads could not write at the same time. Format: Zarr 3's
``sharding_indexed`` (https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import zarr
from numcodecs import Blosc, Zstd

_LITTLE_ENDIAN_BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
_INDEX_CODECS = (_LITTLE_ENDIAN_BYTES, {"name": "crc32c"})
_SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}
_ABSENT = np.uint64(2**64 - 1)
"""Offset and size of a chunk that the array does not reach."""

_Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ShardAssembler:
    """Makes the bytes of a shard as zarr writes them; any number of threads may call it.

    ``chunk_rows`` : rows of a chunk. ``chunks`` : chunks of a shard. ``compress`` : applied in this order.
    """

    chunk_rows: int
    chunks: int
    compress: tuple[Callable[[Any], Any], ...]

    def __call__(self, values: _Numbers) -> bytes:
        """Assemble a shard of (row, …) ``values`` in the array's data type, of at least one row.

        The last chunk that they reach is filled up with NaN. Chunks that hold only NaN are written too.
        """
        index = np.full((self.chunks, 2), _ABSENT, "<u8")
        parts: list[Any] = []
        end = 0
        for number, first in enumerate(range(0, len(values), self.chunk_rows)):
            part: Any = self._chunk(values[first : first + self.chunk_rows])
            for compress in self.compress:
                part = compress(part)
            size = memoryview(part).nbytes
            index[number] = end, size
            end += size
            parts.append(part)
        head = index.tobytes()
        return b"".join((*parts, head, google_crc32c.value(head).to_bytes(4, "little")))

    def _chunk(self, rows: _Numbers) -> _Numbers:
        if len(rows) == self.chunk_rows:
            return np.ascontiguousarray(rows)
        chunk = np.full((self.chunk_rows, *rows.shape[1:]), np.nan, rows.dtype)
        chunk[: len(rows)] = rows
        return chunk


def shard_assembler(array: zarr.Array[Any]) -> ShardAssembler | None:
    """What assembles the shards of ``array``, a (view, row, coefficient, frame) array of one view and shard.

    None if zarr has to: for codecs other than those below, or another layout than shards of rows that are
    filled with NaN and hold every chunk, also an empty one.
    """
    metadata: Mapping[str, Any] = array.metadata.to_dict()
    described = list(metadata["codecs"])
    if [codec["name"] for codec in described] != ["sharding_indexed"]:
        return None
    sharding = described[0]["configuration"]
    shard, chunk = metadata["chunk_grid"]["configuration"]["chunk_shape"], sharding["chunk_shape"]
    first, *compressors = sharding["codecs"]
    compress = _compress(compressors)
    if (
        len(shard) != 4
        or shard[0] != 1
        or shard[1] % chunk[1]
        or (*chunk[:1], *chunk[2:]) != (*shard[:1], *shard[2:])
        or metadata["data_type"] not in ("float16", "float32")
        or not np.isnan(array.fill_value)
        or not array.config.write_empty_chunks
        or first != _LITTLE_ENDIAN_BYTES
        or tuple(sharding["index_codecs"]) != _INDEX_CODECS
        or sharding["index_location"] != "end"
        or compress is None
    ):
        return None
    return ShardAssembler(chunk[1], shard[1] // chunk[1], compress)


def _compress(codecs: Sequence[Mapping[str, Any]]) -> tuple[Callable[[Any], Any], ...] | None:
    """The functions of zarr's compressors; None if one of them is unknown here."""
    found: list[Callable[[Any], Any]] = []
    for codec in codecs:
        match codec:
            case {"name": "zstd", "configuration": {"level": level, "checksum": checksum}}:
                found.append(Zstd(level=level, checksum=checksum).encode)
            case {"name": "blosc", "configuration": settings}:
                found.append(Blosc(**{**settings, "shuffle": _SHUFFLES[settings["shuffle"]]}).encode)
            case _:
                return None
    return tuple(found)
