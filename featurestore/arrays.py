"""The Zarr side of a store: groups, arrays, coordinates and whole shards."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
import zarr.codecs
import zarr.storage

from featurestore.documents import CorpusRecord
from featurestore.layout import FORMAT, FORMAT_VERSION
from pipelines.features.mel import mel_edges
from schemas.spec import FeatureSpec, MelSpec, StorageSpec, StoreSpec

COEFFICIENT_NAMES = {"mel": "mel_band", "mfcc": "mfcc_index", "rms": "rms_index", "zcr": "zcr_index"}
"""Name of each feature's coefficient dimension."""

_UNITS = {"mel": "dB re 1.0", "mfcc": "dB", "rms": "amplitude of full scale", "zcr": "crossings per sample"}


def create_root(store: Path, spec: StoreSpec) -> None:
    """Create the root group with the specification in its attributes."""
    attributes = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spec": spec.model_dump(mode="json"),
        "spec_digest": spec.digest,
    }
    zarr.create_group(_local(store), attributes=attributes, zarr_format=3, overwrite=False)


def create_corpus(
    store: Path,
    record: CorpusRecord,
    spec: StoreSpec,
    clips: int,
) -> None:
    """Create a corpus's group and arrays, or fit the clip dimension of those that are there."""
    root = zarr.open_group(_local(store), mode="r+", use_consolidated=False)
    attributes = {
        "title": record.title,
        "licence": record.licence,
        "home_page": record.home_page,
        "view_names": list(spec.view_names),
    }
    if record.dataset in root:
        group = root[record.dataset]
        if not isinstance(group, zarr.Group):
            raise TypeError(f"{record.dataset} is not a group")
        for feature in spec.features:
            array = group[feature.kind]
            if isinstance(array, zarr.Array) and array.shape[1] != clips:
                array.resize((array.shape[0], clips, *array.shape[2:]))
        return
    group = root.create_group(record.dataset, attributes=attributes)
    for feature in spec.features:
        _create_feature(group, feature, spec, clips)
    for name, values in coordinates(spec).items():
        coordinate = group.create_array(
            name,
            shape=values.shape,
            dtype="float64",
            chunks=values.shape,
            compressors=_compressors(spec.storage),
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


def metadata_paths(dataset: str, spec: StoreSpec) -> list[str]:
    """Every object of a corpus's group but the features' shards."""
    names = list(coordinates(spec))
    arrays = [*(feature.kind for feature in spec.features), *names]
    return [
        f"{dataset}/zarr.json",
        *(f"{dataset}/{name}/zarr.json" for name in arrays),
        *(f"{dataset}/{name}/c/0" for name in names),
    ]


def write_shards(
    store: Path, dataset: str, feature: str, first_row: int, values: npt.NDArray[np.floating]
) -> None:
    """Write (view, clip, coefficient, frame) ``values``: whole shards from ``first_row`` on.

    Chunks that hold nothing but NaN are written too: an absent file always means a lost one.
    """
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.open_array(_local(store), path=f"{dataset}/{feature}", mode="r+")
    for view, part in enumerate(values):
        array[view, first_row : first_row + part.shape[0]] = part


def consolidate(store: Path) -> None:
    """Write the metadata of all groups and arrays into the root's, so that opening reads one file."""
    with warnings.catch_warnings():
        # zarr warns of the tables and records beside its own objects, and that version 3 of the format
        # has no agreed place for consolidated metadata yet; both are meant (docs/store-format.md).
        warnings.filterwarnings("ignore", message="Object at .* is not recognized")
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(_local(store))


def _create_feature(group: zarr.Group, feature: FeatureSpec, spec: StoreSpec, clips: int) -> None:
    storage, views = spec.storage, len(spec.view_names)
    within = (feature.coefficients, spec.frames)
    group.create_array(
        feature.kind,
        shape=(views, clips, *within),
        dtype=storage.dtype,
        chunks=(1, storage.chunk_clips, *within),
        shards=(1, storage.shard_clips, *within),
        compressors=_compressors(storage),
        fill_value=np.nan,
        dimension_names=("view", "clip", COEFFICIENT_NAMES[feature.kind], "frame"),
        attributes={"units": _UNITS[feature.kind], **feature.model_dump(mode="json")},
        config={"write_empty_chunks": True},
    )


def _compressors(storage: StorageSpec) -> Any:
    return zarr.codecs.ZstdCodec(level=3, checksum=True) if storage.codec == "zstd" else None


def _local(store: Path) -> zarr.storage.LocalStore:
    return zarr.storage.LocalStore(store)
