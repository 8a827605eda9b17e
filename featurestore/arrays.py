"""The Zarr side of a store: groups, arrays, coordinates and whole shards."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
import zarr.storage
from zarr.core.buffer import Buffer

from featurestore.codecs import compressors
from featurestore.documents import CorpusRecord
from featurestore.layout import FORMAT, FORMAT_VERSION
from featurestore.zarr_layout import create_feature
from pipelines.features.mel_scale import mel_edges
from schemas.features import FeatureSpec, MelSpec
from schemas.spec import StoreSpec


def hierarchy(spec: StoreSpec, corpora: Mapping[str, CorpusRecord]) -> dict[str, bytes]:
    """Every Zarr object of a store but the features' shards: name → bytes, the same for equal arguments.

    The root's metadata holds that of all groups and arrays (consolidated), so that opening reads one file.
    """
    objects: dict[str, Buffer] = {}
    memory = zarr.storage.MemoryStore(objects)
    attributes = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spec": spec.model_dump(mode="json"),
        "spec_digest": spec.digest,
    }
    root = zarr.create_group(memory, attributes=attributes, zarr_format=3)
    for dataset in sorted(corpora):
        _add_corpus(root, corpora[dataset], spec)
    if corpora:
        with warnings.catch_warnings():
            # Version 3 of the Zarr format has no agreed place for it yet; meant (docs/store-format.md).
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            zarr.consolidate_metadata(memory)
    return {name: buffer.to_bytes() for name, buffer in sorted(objects.items())}


def _add_corpus(root: zarr.Group, record: CorpusRecord, spec: StoreSpec) -> None:
    attributes = {
        "title": record.title,
        "licence": record.licence,
        "home_page": record.home_page,
        "view_names": list(spec.view_names),
    }
    group = root.create_group(record.dataset, attributes=attributes)
    for feature in spec.features:
        create_feature(group, feature, spec, len(spec.view_names), len(record.rows))
    for name, values in coordinates(spec).items():
        coordinate = group.create_array(
            name,
            shape=values.shape,
            dtype="float64",
            chunks=values.shape,
            compressors=compressors(spec.storage),
            fill_value=np.nan,
            dimension_names=(name,),
            attributes={"units": "s" if name == "frame" else "Hz"},
        )
        coordinate[:] = values


def coordinates(spec: StoreSpec) -> dict[str, npt.NDArray[np.float64]]:
    """Dimension → values: ``frame``, the centre of each frame in s, and ``mel_band``, its centre in Hz."""
    step = spec.spectral.hop_length / spec.audio.sample_rate
    out = {"frame": np.arange(spec.frames, dtype=np.float64) * np.float64(step)}
    for feature in spec.features:
        if isinstance(feature, MelSpec):
            out["mel_band"] = mel_edges(spec.audio.sample_rate, feature.n_mels)[1:-1]
    return out


class ShardEncoder:
    """Makes shards as Zarr would write them, in memory: for one thread at a time."""

    def __init__(self, spec: StoreSpec) -> None:
        self._spec = spec
        self._features: dict[str, FeatureSpec] = {feature.kind: feature for feature in spec.features}
        self._objects: dict[str, Buffer] = {}
        self._root = zarr.create_group(zarr.storage.MemoryStore(self._objects), zarr_format=3)
        self._arrays: dict[tuple[str, int], tuple[str, zarr.Array[Any]]] = {}

    def encode(self, feature: str, values: npt.NDArray[np.floating]) -> bytes:
        """The shard that holds (clip, coefficient, frame) ``values``, at most ``shard_clips`` clips.

        Chunks that hold nothing but NaN are in it too: an absent one always means a lost one.
        """
        path, array = self._array(feature, len(values))
        array[0] = values
        return self._objects.pop(f"{path}/c/0/0/0/0").to_bytes()

    def _array(self, feature: str, rows: int) -> tuple[str, zarr.Array[Any]]:
        key = feature, rows
        if key not in self._arrays:
            group = self._root.require_group(str(rows))
            array = create_feature(group, self._features[feature], self._spec, 1, rows)
            self._arrays[key] = array.path, array
        return self._arrays[key]
