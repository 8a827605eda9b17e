"""The Zarr side of a store: groups, arrays, coordinates and whole shards."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
import zarr.codecs
import zarr.storage
from zarr.core.buffer import Buffer

from featurestore.documents import CorpusRecord
from featurestore.layout import FORMAT, FORMAT_VERSION
from pipelines.features.mel import mel_edges
from schemas.features import FeatureSpec, MelSpec
from schemas.spec import StorageSpec, StoreSpec

COEFFICIENT_NAMES = {
    "mel": "mel_band",
    "mfcc": "mfcc_index",
    "delta": "delta_index",
    "delta2": "delta2_index",
    "chroma": "pitch_class",
    "rms": "rms_index",
    "zcr": "zcr_index",
}
"""Name of each feature's coefficient dimension."""

_UNITS = {
    "mel": "dB re 1.0",
    "mfcc": "dB",
    "delta": "dB per frame",
    "delta2": "dB per frame²",
    "chroma": "share of the frame's largest",
    "rms": "amplitude of full scale",
    "zcr": "crossings per sample",
}

_ZSTD_LEVEL = 1
"""On these arrays level 3 takes about twice the time and saves less than 1 %."""


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
        _create_feature(group, feature, spec, len(record.rows))
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


def write_shards(
    store: Path, dataset: str, feature: str, first_row: int, values: npt.NDArray[np.floating]
) -> None:
    """Write (view, clip, coefficient, frame) ``values``: whole shards from ``first_row`` on.

    Chunks that hold nothing but NaN are written too: an absent file always means a lost one.
    """
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.open_array(zarr.storage.LocalStore(store), path=f"{dataset}/{feature}", mode="r+")
    for view, part in enumerate(values):
        array[view, first_row : first_row + part.shape[0]] = part


def _create_feature(group: zarr.Group, feature: FeatureSpec, spec: StoreSpec, clips: int) -> None:
    storage, views = spec.storage, len(spec.view_names)
    within = (spec.coefficients[feature.kind], spec.frames)
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
    return zarr.codecs.ZstdCodec(level=_ZSTD_LEVEL, checksum=True) if storage.codec == "zstd" else None
