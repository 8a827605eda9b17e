import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
import zarr.storage

from featurestore.format.codecs import compressors
from pipelines.quantise import KEEP_BITS
from schemas.spec import StorageSpec

READERS = {
    "zarr-python": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarrs": "zarrs.ZarrsCodecPipeline",
}
STORAGES = [
    StorageSpec(),
    StorageSpec(dtype="float32"),
    StorageSpec(codec="blosc"),
    StorageSpec(dtype="float32", codec="blosc"),
    StorageSpec(codec="none"),
    StorageSpec(dtype="float32", codec="none"),
    StorageSpec(dtype="float32", codec="bitround"),
    StorageSpec(dtype="float32", codec="fixed"),
]
CHECKED = [storage for storage in STORAGES if storage.codec != "none"]
BAD_ROW, CLIPS, WITHIN = 5, 70, (64, 130)
SHARD = Path("c/0/0/0/0")

Values = np.ndarray[Any, np.dtype[np.floating[Any]]]


def _name(value: object) -> str | None:
    return f"{value.codec}-{value.dtype}" if isinstance(value, StorageSpec) else None


def _values(storage: StorageSpec) -> Values:
    """Numbers that vary slowly, as features do; a recording is bad."""
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.standard_normal((1, CLIPS, *WITHIN)), axis=-1).astype(storage.dtype)
    values[:, BAD_ROW] = np.nan
    return values


def _created(store: Any, storage: StorageSpec, values: Values) -> zarr.Array[Any]:
    return zarr.create_array(
        store,
        shape=values.shape,
        dtype=values.dtype,
        chunks=(1, storage.chunk_clips, *WITHIN),
        shards=(1, storage.shard_clips, *WITHIN),
        compressors=compressors(storage),
        fill_value=np.nan,
        config={"write_empty_chunks": True},
    )


def _written(folder: Path, storage: StorageSpec) -> Values:
    values = _values(storage)
    _created(zarr.storage.LocalStore(folder), storage, values)[:] = values
    return values


def _read(folder: Path, reader: str, part: Any = ...) -> Values:
    config = {"codec_pipeline.path": READERS[reader], "codec_pipeline.strict": True}
    with zarr.config.set(config):
        array = zarr.open_array(zarr.storage.LocalStore(folder, read_only=True), mode="r")
        return np.asarray(array[part])


def _first_chunk(shard: bytes, chunks: int) -> tuple[int, int]:
    """Offset and size by the shard's index: pairs of little-endian 64-bit words, then a CRC-32C."""
    index = np.frombuffer(shard[-4 - 16 * chunks : -4], "<u8")
    return int(index[0]), int(index[1])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("storage", STORAGES, ids=_name)
def test_numbers_come_back_as_they_were(tmp_path: Path, storage: StorageSpec, reader: str) -> None:
    values = _written(tmp_path, storage)
    for part in (np.s_[:], np.s_[0, 32:64], np.s_[0, 33:34, 7]):
        assert _read(tmp_path, reader, part).tobytes() == values[part].tobytes()
    assert np.isnan(_read(tmp_path, reader, np.s_[:, BAD_ROW])).all()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("storage", CHECKED, ids=_name)
def test_a_flipped_bit_is_found_on_every_way_of_reading(
    tmp_path: Path, storage: StorageSpec, reader: str
) -> None:
    _written(tmp_path, storage)
    good = (tmp_path / SHARD).read_bytes()
    offset, size = _first_chunk(good, storage.shard_clips // storage.chunk_clips)
    rng = random.Random(0)
    ways = (np.s_[:], np.s_[0, :32], np.s_[0, 3:4], np.s_[0, 3, 1, 2:5])
    for bit in [rng.randrange(8 * offset, 8 * (offset + size)) for _ in range(25)]:
        broken = bytearray(good)
        broken[bit // 8] ^= 1 << bit % 8
        (tmp_path / SHARD).write_bytes(broken)
        for part in ways:
            with pytest.raises((RuntimeError, ValueError, OSError)):
                _read(tmp_path, reader, part)


def test_bare_numbers_hide_a_flipped_bit(tmp_path: Path) -> None:
    """The reason why ``none`` is not the default: should this ever fail, the documentation is out of date."""
    values = _written(tmp_path, StorageSpec(codec="none"))
    shard = bytearray((tmp_path / SHARD).read_bytes())
    offset, _ = _first_chunk(bytes(shard), 8)
    shard[offset] ^= 1
    (tmp_path / SHARD).write_bytes(shard)
    for reader in READERS:
        assert (_read(tmp_path, reader) != values)[~np.isnan(values)].sum() == 1


def _stored_chunk(folder: Path, storage: StorageSpec) -> bytes:
    shard = (folder / SHARD).read_bytes()
    offset, size = _first_chunk(shard, storage.shard_clips // storage.chunk_clips)
    return shard[offset : offset + size]


@pytest.mark.parametrize("storage", CHECKED, ids=_name)
def test_chunks_are_what_their_compressors_alone_decode(tmp_path: Path, storage: StorageSpec) -> None:
    values = _written(tmp_path, storage)
    frame = _stored_chunk(tmp_path, storage)
    assert frame[:4] == b"\x28\xb5\x2f\xfd"  # RFC 8878: magic number,
    assert frame[4] & 0b100  # and the flag of a checksum
    numbers = numcodecs.Zstd().decode(frame)
    if storage.codec != "zstd":
        numbers = numcodecs.Blosc().decode(numbers)
    assert bytes(numbers) == values[0, :32].tobytes()


@pytest.mark.parametrize("storage", STORAGES, ids=_name)
def test_any_zarr_reader_knows_the_codecs(storage: StorageSpec) -> None:
    """Those of the Zarr 3 specification alone: no filter of numcodecs' own."""
    array = _created(zarr.storage.MemoryStore(), storage, _values(storage))
    sharding = json.loads(json.dumps(array.metadata.to_dict()))["codecs"][0]
    names = {codec["name"] for codec in sharding["configuration"]["codecs"]}
    assert names <= {"bytes", "zstd", "blosc"}


@pytest.mark.parametrize("storage", STORAGES, ids=_name)
def test_all_threads_write_the_same_bytes(storage: StorageSpec) -> None:
    values = _values(storage)

    def encoded(_: int) -> bytes:
        objects: dict[str, Any] = {}
        _created(zarr.storage.MemoryStore(objects), storage, values)[:] = values
        shard: bytes = objects[str(SHARD)].to_bytes()
        return shard

    with ThreadPoolExecutor(4) as pool:
        assert len({encoded(0), *pool.map(encoded, range(8))}) == 1


def test_what_was_rounded_takes_fewer_bytes(tmp_path: Path) -> None:
    plain, rounded = (
        StorageSpec(dtype="float32", codec="blosc"),
        StorageSpec(dtype="float32", codec="bitround"),
    )
    _written(tmp_path / "plain", plain)
    values = _values(rounded)
    kept = (
        np.asarray(numcodecs.BitRound(KEEP_BITS).encode(values.copy())).view(np.float32).reshape(values.shape)
    )
    _created(zarr.storage.LocalStore(tmp_path / "rounded"), rounded, kept)[:] = kept
    sizes = [(tmp_path / name / SHARD).stat().st_size for name in ("plain", "rounded")]
    assert sizes[1] < 0.75 * sizes[0]
