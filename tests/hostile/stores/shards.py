"""Shards that lie about their size or hold something else."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numcodecs
import numpy as np

from tests.hostile.forge import Forge, shard_of, zstd_frame
from tests.hostile.stores.registry import SHARD, add, hostile


def _shard(make: Callable[[Forge], bytes]) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        forge.put(SHARD, make(forge))
        forge.seal()

    return change


CHUNK = 32 * 16 * 32 * 2
"""Bytes of a chunk of mel in the tests' tiny store."""

_SHARDS: list[tuple[str, str, Callable[[Forge], None]]] = [
    (
        "a chunk that announces a terabyte",
        "1,000,000,000,000|cannot be decoded",
        _shard(lambda forge: shard_of(zstd_frame(2**17, 10**12))),
    ),
    (
        "a chunk of two gigabytes of zeros",
        "2,147,483,648|cannot be decoded",
        _shard(lambda forge: shard_of(zstd_frame(2**31))),
    ),
    (
        "a chunk that says less than it holds",
        f"{SHARD}",
        _shard(lambda forge: shard_of(zstd_frame(2**31, CHUNK))),
    ),
    (
        "a chunk of ten thousand frames",
        f"{SHARD}",
        _shard(lambda forge: shard_of(zstd_frame(2**17) * 10_000)),
    ),
    (
        "a chunk that is right, and thousands behind it",
        f"{SHARD}",
        _shard(
            lambda forge: shard_of(
                numcodecs.Zstd(level=1).encode(np.zeros(CHUNK, np.uint8)) + zstd_frame(2**17) * 10_000
            )
        ),
    ),
    (
        "a chunk that says nothing of its size",
        f"{SHARD}",
        _shard(lambda forge: shard_of(b"\x28\xb5\x2f\xfd\x00\x38" + zstd_frame(2**30)[14:])),
    ),
    ("a shard of random bytes", f"{SHARD}", _shard(lambda forge: np.random.default_rng(0).bytes(100_000))),
    ("an empty shard", f"{SHARD}", _shard(lambda forge: b"")),
    (
        "a shard without chunks",
        f"{SHARD}",
        _shard(lambda forge: shard_of(b"")[:0] + struct.pack("<QQ", 2**64 - 1, 2**64 - 1) * 8 + b"\0\0\0\0"),
    ),
    (
        "chunks outside of their shard",
        f"{SHARD}",
        _shard(lambda forge: struct.pack("<QQ", 2**40, 2**40) * 8 + b"\0\0\0\0"),
    ),
    (
        "chunks of another size",
        f"{SHARD}",
        _shard(lambda forge: shard_of(numcodecs.Zstd(level=1).encode(np.zeros(CHUNK // 2, np.uint8)))),
    ),
    ("chunks without compression", f"{SHARD}", _shard(lambda forge: shard_of(bytes(CHUNK)))),
    (
        "a pickle for a shard",
        f"{SHARD}",
        _shard(lambda forge: shard_of(b"cos\nsystem\n(S'touch /tmp/pickled'\ntR.")),
    ),
]
for _name, _message, _make in _SHARDS:
    add(_name, "read", _message, _make)


@hostile("read", "does not match store.json")
def two_shards_swapped(forge: Forge) -> None:
    one, two = forge.folder / SHARD, forge.folder / SHARD.replace("c/0", "c/1")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


@hostile("read", "does not match store.json|wrong content")
def a_bit_of_a_shard_flipped(forge: Forge) -> None:
    data = bytearray((forge.folder / SHARD).read_bytes())
    data[500] ^= 4
    (forge.folder / SHARD).write_bytes(data)
