"""The Zarr array of a feature: dimensions, chunks, shards and codecs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
import zarr.storage
from zarr.core.buffer import Buffer

from featurestore.format.codecs import compressors
from featurestore.format.coordinates import frame_dimension, row_coordinates, row_dimension
from schemas.encoders import EncoderSpec
from schemas.features import FeatureSpec
from schemas.imported import ImportedSpec
from schemas.opensmile import OpenSmileSpec
from schemas.spec import StoreSpec

COEFFICIENT_NAMES = {
    "mel": "mel_band",
    "mfcc": "mfcc_index",
    "delta": "delta_index",
    "delta2": "delta2_index",
    "chroma": "pitch_class",
    "rms": "rms_index",
    "zcr": "zcr_index",
}
"""Name of the coefficient dimension of each feature of the signal."""

_UNITS = {
    "mel": "dB re 1.0",
    "mfcc": "dB",
    "delta": "dB per frame",
    "delta2": "dB per frame²",
    "chroma": "share of the frame's largest",
    "rms": "amplitude of full scale",
    "zcr": "crossings per sample",
    "encoder": "value of the network",
    "opensmile": "as openSMILE gives it",
    "imported": "as its source gives it",
}


def dimension_names(feature: FeatureSpec) -> tuple[str, str]:
    """Names of the coefficients and of the frames; encoders and imported features have their own."""
    if isinstance(feature, EncoderSpec | ImportedSpec | OpenSmileSpec):
        return row_dimension(feature), frame_dimension(feature)
    return COEFFICIENT_NAMES[feature.kind], "frame"


def _row_coordinates(feature: FeatureSpec) -> dict[str, str]:
    """The attribute by which xarray finds coordinates that are not named like a dimension."""
    return {"coordinates": " ".join(row_coordinates(feature))} if isinstance(feature, EncoderSpec) else {}


def create_feature(
    group: zarr.Group, feature: FeatureSpec, spec: StoreSpec, views: int, rows: int
) -> zarr.Array[Any]:
    """Create the (view, clip, coefficient, frame) array of a feature, without any values yet."""
    storage = spec.storage
    within = spec.shapes[feature.name]
    layer = (within[0] // spec.layer_counts[feature.name], within[1])
    return group.create_array(
        feature.name,
        shape=(views, rows, *within),
        dtype=storage.dtype,
        chunks=(1, storage.chunk_clips, *layer),
        shards=(1, storage.shard_clips, *layer),
        compressors=compressors(storage),
        fill_value=np.nan,
        dimension_names=("view", "clip", *dimension_names(feature)),
        attributes={
            "units": _UNITS[feature.kind],
            **_row_coordinates(feature),
            **feature.model_dump(mode="json"),
        },
        config={"write_empty_chunks": True},
    )


def feature_metadata(spec: StoreSpec, rows: int) -> Mapping[str, dict[str, Any]]:
    """Feature → the metadata that its array must have, as read from JSON."""
    objects: dict[str, Buffer] = {}
    root = zarr.create_group(zarr.storage.MemoryStore(objects), zarr_format=3)
    return {
        feature.name: create_feature(root, feature, spec, len(spec.view_names), rows).metadata.to_dict()
        for feature in spec.features
    }
