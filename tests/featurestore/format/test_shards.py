"""Shards that we assemble ourselves, byte for byte those that zarr writes for the same arrays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import zarr
import zarr.storage
from zarr.codecs import Crc32cCodec, TransposeCodec, ZstdCodec

from featurestore.format import zarr_layout
from featurestore.format.arrays import ShardEncoder
from featurestore.format.shards import shard_assembler
from featurestore.format.zarr_layout import create_feature
from schemas.encoders import EncoderSpec
from schemas.features import FeatureSpec
from schemas.recipe import load_recipe
from schemas.spec import StorageSpec, StoreSpec
from tests.featurestore.format.test_codecs import STORAGES

SPEC = load_recipe("four-corpora-a").store_spec(0)
LAYERED = EncoderSpec.model_validate(
    {
        "name": "layered",
        "sha256": "0" * 64,
        "architecture": {"family": "whisper", "width": 8, "blocks": 4, "heads": 2, "inner_width": 16},
        "layers": (0, 2, 4),
        "pooling": "mean+std",
    }
)

Values = np.ndarray[Any, np.dtype[np.floating[Any]]]


def with_storage(storage: StorageSpec) -> StoreSpec:
    features: tuple[FeatureSpec, ...] = (*SPEC.features, *([] if storage.codec == "fixed" else [LAYERED]))
    return SPEC.model_copy(update={"storage": storage, "features": features})


def values_of(spec: StoreSpec, feature: str, rows: int) -> Values:
    """Numbers that vary slowly, as features do; one bad recording, and a chunk of nothing but vacant rows."""
    rng = np.random.default_rng(rows)
    numbers = np.cumsum(rng.standard_normal((rows, *spec.shapes[feature])), axis=-1)
    numbers[5:6] = np.nan
    numbers[64:96] = np.nan
    return numbers.astype(spec.storage.dtype)


def written_by_zarr(spec: StoreSpec, feature: str, values: Values) -> list[bytes]:
    objects: dict[str, Any] = {}
    root = zarr.create_group(zarr.storage.MemoryStore(objects), zarr_format=3)
    (described,) = [one for one in spec.features if one.name == feature]
    create_feature(root, described, spec, 1, len(values))[0] = values
    return [objects[f"{feature}/c/0/0/{layer}/0"].to_bytes() for layer in range(spec.layer_counts[feature])]


@pytest.mark.parametrize("rows", [256, 255, 100, 96, 64, 33, 32, 6, 1])
@pytest.mark.parametrize("storage", STORAGES, ids=lambda storage: f"{storage.codec}-{storage.dtype}")
def test_every_byte_is_that_of_zarr(storage: StorageSpec, rows: int) -> None:
    spec = with_storage(storage)
    encoder = ShardEncoder(spec)
    for feature in ("rms", "mfcc", *(["layered"] if storage.codec != "fixed" else [])):
        values = values_of(spec, feature, rows)
        assert encoder.assembles(feature)
        assert list(encoder.encode(feature, values)) == written_by_zarr(spec, feature, values)


@pytest.mark.parametrize("rows", [256, 33])
def test_a_part_of_a_table_is_encoded_like_a_copy(rows: int) -> None:
    """Features are columns of one table, so their numbers lie apart in memory."""
    spec = with_storage(StorageSpec())
    values = values_of(spec, "mfcc", rows)
    table = np.zeros((rows, 3 * values.shape[1], values.shape[2]), values.dtype)
    part = table[:, 7 : 7 + values.shape[1]]
    part[:] = values
    assert list(ShardEncoder(spec).encode("mfcc", part)) == written_by_zarr(spec, "mfcc", values)


@pytest.mark.parametrize("storage", STORAGES, ids=lambda storage: f"{storage.codec}-{storage.dtype}")
def test_bits_of_numbers_that_equal_the_fill_value_are_kept(storage: StorageSpec) -> None:
    """Negative zeros, infinities, and NaN with other bits than the fill value."""
    spec = with_storage(storage)
    values = values_of(spec, "rms", 40)
    values[0], values[1], values[2] = -0.0, np.inf, -np.nan
    assert list(ShardEncoder(spec).encode("rms", values)) == written_by_zarr(spec, "rms", values)


@pytest.mark.parametrize("storage", STORAGES, ids=lambda storage: f"{storage.codec}-{storage.dtype}")
def test_several_threads_share_an_encoder(storage: StorageSpec) -> None:
    spec = with_storage(storage)
    encoder, tables = ShardEncoder(spec), [values_of(spec, "mfcc", rows) for rows in (256, 100, 33, 7) * 3]
    alone = [list(ShardEncoder(spec).encode("mfcc", table)) for table in tables]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda table: list(encoder.encode("mfcc", table)), tables)) == alone


def test_codecs_that_are_not_ours_are_left_to_zarr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zarr_layout, "compressors", lambda _: (ZstdCodec(level=1), Crc32cCodec()))
    spec = with_storage(StorageSpec())
    encoder, tables = ShardEncoder(spec), [values_of(spec, "mfcc", rows) for rows in (256, 33, 1) * 4]
    assert not encoder.assembles("mfcc")
    expected = [written_by_zarr(spec, "mfcc", table) for table in tables]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda table: list(encoder.encode("mfcc", table)), tables)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"write_empty_chunks": False},
        {"shards": (1, 64, 4, 130)},
        {"chunks": (1, 32, 2, 130)},
        {"dtype": "int16", "fill_value": 0},
        {"fill_value": 0.0},
        {"filters": "transpose"},
        {"shards": None},
    ],
    ids=str,
)
def test_arrays_of_another_layout_are_refused(change: dict[str, Any]) -> None:
    """Chunks that zarr would leave out, or put into another order, or fill with something else."""
    arguments = {
        "shape": (1, 100, 4, 130),
        "dtype": "float16",
        "chunks": (1, 32, 4, 130),
        "shards": (1, 256, 4, 130),
        "fill_value": np.nan,
        **{name: value for name, value in change.items() if name not in ("write_empty_chunks", "filters")},
        "config": {"write_empty_chunks": change.get("write_empty_chunks", True)},
    }
    if "filters" in change:
        arguments["filters"] = TransposeCodec(order=(0, 1, 3, 2))
    array = zarr.create_array(zarr.storage.MemoryStore(), **arguments)
    accepted = change == {"shards": (1, 64, 4, 130)}
    assert (shard_assembler(array) is not None) == accepted
