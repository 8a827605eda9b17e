"""Zarr objects of a build, encoded in memory: metadata, coordinates and whole shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
import zarr.storage
from zarr.core.buffer import Buffer, default_buffer_prototype

from featurestore.format.coordinate_values import Values, coordinate_values
from featurestore.format.coordinates import Coordinate, coordinates
from featurestore.format.documents import CorpusRecord
from featurestore.format.shards import shard_assembler
from featurestore.format.zarr_layout import create_feature
from featurestore.format.zarr_metadata import create_coordinate, metadata_objects
from schemas.features import FeatureSpec
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class _Corpus:
    title: str
    licence: str
    home_page: str
    rows: int


def hierarchy(spec: StoreSpec, corpora: Mapping[str, CorpusRecord]) -> dict[str, bytes]:
    """Every Zarr object of a store except the shards: name → bytes, equal for equal arguments."""
    described = {
        name: _Corpus(record.title, record.licence, record.home_page, len(record.rows))
        for name, record in corpora.items()
    }
    objects = metadata_objects(spec, described)
    values = coordinate_values(spec)
    chunks = {one.name: _coordinate_chunk(spec, one, values[one.name]) for one in coordinates(spec)}
    for dataset in corpora:
        objects.update({f"{dataset}/{name}/c/0": chunk for name, chunk in chunks.items()})
    return dict(sorted(objects.items()))


def _coordinate_chunk(spec: StoreSpec, coordinate: Coordinate, values: Values) -> bytes:
    objects: dict[str, Buffer] = {}
    root = zarr.create_group(zarr.storage.MemoryStore(objects), zarr_format=3)
    array = create_coordinate(root, coordinate, spec).with_config({"write_empty_chunks": True})
    array[:] = values
    return objects[f"{coordinate.name}/c/0"].to_bytes()


class ShardEncoder:
    """Encodes shards in memory exactly as Zarr would write them; several threads may share one.

    Shards are assembled by :mod:`featurestore.format.shards`, or by zarr if their codecs are unknown there.
    """

    def __init__(self, spec: StoreSpec) -> None:
        self._layers = spec.layer_counts
        self._shards = {feature.name: _FeatureShards(feature, spec) for feature in spec.features}

    def assembles(self, feature: str) -> bool:
        """Whether the shards of a feature are assembled without zarr, and so without holding up others."""
        return self._shards[feature].assemble is not None

    def encode(self, feature: str, values: npt.NDArray[np.floating]) -> list[bytes]:
        """Encode (clip, coefficient, frame) ``values`` of at most ``shard_clips`` clips: a shard per layer.

        Chunks that contain only NaN are written too, so a missing chunk always means lost data.
        """
        shards, layers = self._shards[feature], self._layers[feature]
        if shards.assemble is None:
            return shards.encode_with_zarr(values, layers)
        return [shards.assemble(part) for part in np.split(values, layers, axis=1)]


def decode_shards(
    feature: FeatureSpec, spec: StoreSpec, shards: Sequence[bytes]
) -> npt.NDArray[np.floating[Any]]:
    """The values of a shard per layer, (clip, coefficient, frame), for all clips that a shard can hold."""
    objects: dict[str, Buffer] = {}
    root = zarr.create_group(zarr.storage.MemoryStore(objects), zarr_format=3)
    array = create_feature(root, feature, spec, 1, spec.storage.shard_clips)
    for layer, data in enumerate(shards):
        objects[f"{array.path}/c/0/0/{layer}/0"] = default_buffer_prototype().buffer.from_bytes(data)
    return np.asarray(array[0])


class _FeatureShards:
    """How the shards of a feature are made: by ``assemble``, or if it is None, by zarr."""

    def __init__(self, feature: FeatureSpec, spec: StoreSpec) -> None:
        self._feature, self._spec = feature, spec
        self._objects: dict[str, Buffer] = {}
        self._root = zarr.create_group(zarr.storage.MemoryStore(self._objects), zarr_format=3)
        self._lock = Lock()
        self._arrays: dict[int, zarr.Array[Any]] = {}
        self.assemble = shard_assembler(self._array(spec.storage.shard_clips))

    def encode_with_zarr(self, values: npt.NDArray[np.floating], layers: int) -> list[bytes]:
        """Have zarr write (clip, coefficient, frame) ``values``; one thread at a time."""
        with self._lock:
            array = self._array(len(values))
            array[0] = values
            return [self._objects.pop(f"{array.path}/c/0/0/{layer}/0").to_bytes() for layer in range(layers)]

    def _array(self, rows: int) -> zarr.Array[Any]:
        if rows not in self._arrays:
            group = self._root.require_group(str(rows))
            self._arrays[rows] = create_feature(group, self._feature, self._spec, 1, rows)
        return self._arrays[rows]
