"""Zarr objects of a build, encoded in memory: metadata, coordinates and whole shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
import zarr.storage
from zarr.core.buffer import Buffer

from featurestore.format.coordinate_values import Values, coordinate_values
from featurestore.format.coordinates import Coordinate, coordinates
from featurestore.format.documents import CorpusRecord
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
    """Encodes shards in memory exactly as Zarr would write them; for one thread at a time."""

    def __init__(self, spec: StoreSpec) -> None:
        self._spec = spec
        self._features: dict[str, FeatureSpec] = {feature.name: feature for feature in spec.features}
        self._objects: dict[str, Buffer] = {}
        self._root = zarr.create_group(zarr.storage.MemoryStore(self._objects), zarr_format=3)
        self._arrays: dict[tuple[str, int], tuple[str, zarr.Array[Any]]] = {}

    def encode(self, feature: str, values: npt.NDArray[np.floating]) -> list[bytes]:
        """Encode (clip, coefficient, frame) ``values`` of at most ``shard_clips`` clips: a shard per layer.

        Chunks that contain only NaN are written too, so a missing chunk always means lost data.
        """
        path, array = self._array(feature, len(values))
        array[0] = values
        layers = range(self._spec.layer_counts[feature])
        return [self._objects.pop(f"{path}/c/0/0/{layer}/0").to_bytes() for layer in layers]

    def _array(self, feature: str, rows: int) -> tuple[str, zarr.Array[Any]]:
        key = feature, rows
        if key not in self._arrays:
            group = self._root.require_group(str(rows))
            array = create_feature(group, self._features[feature], self._spec, 1, rows)
            self._arrays[key] = array.path, array
        return self._arrays[key]
