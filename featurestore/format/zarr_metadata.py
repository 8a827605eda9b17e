"""The metadata that the groups and arrays of a store must have. Builds write it; readers derive it again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import zarr
import zarr.storage
from zarr.core.buffer import Buffer

from featurestore.format.codecs import compressors
from featurestore.format.coordinates import Coordinate, coordinates
from featurestore.format.layout import FORMAT, format_version
from featurestore.format.zarr_layout import create_feature
from schemas.spec import StoreSpec


class CorpusDescription(Protocol):
    """What the metadata of a corpus says about it, such as an entry of ``datasets`` in ``store.json``."""

    @property
    def title(self) -> str:
        """Name as its authors spell it."""

    @property
    def licence(self) -> str:
        """Terms of use."""

    @property
    def home_page(self) -> str:
        """Address of its home page."""

    @property
    def rows(self) -> int:
        """Number of rows in its arrays."""


def metadata_objects(spec: StoreSpec, corpora: Mapping[str, CorpusDescription]) -> dict[str, bytes]:
    """Every ``zarr.json`` of a store: name → bytes, equal for equal arguments and the same zarr release.

    The root's file also holds the metadata of all groups and arrays (consolidated metadata), so that opening
    a store reads one file.
    """
    objects: dict[str, Buffer] = {}
    memory = zarr.storage.MemoryStore(objects)
    attributes = {
        "format": FORMAT,
        "format_version": format_version(spec),
        "spec": spec.model_dump(mode="json"),
        "spec_digest": spec.digest,
    }
    root = zarr.create_group(memory, attributes=attributes, zarr_format=3)
    for name, corpus in sorted(corpora.items()):
        _add_corpus(root, name, corpus, spec)
    if corpora:
        with warnings.catch_warnings():
            # Zarr format 3 does not standardise it yet; we use it on purpose (docs/store-format.md).
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            zarr.consolidate_metadata(memory)
    return {name: buffer.to_bytes() for name, buffer in sorted(objects.items())}


def _add_corpus(root: zarr.Group, name: str, corpus: CorpusDescription, spec: StoreSpec) -> None:
    attributes = {
        "title": corpus.title,
        "licence": corpus.licence,
        "home_page": corpus.home_page,
        "view_names": list(spec.view_names),
    }
    group = root.create_group(name, attributes=attributes)
    for feature in spec.features:
        create_feature(group, feature, spec, len(spec.view_names), corpus.rows)
    for coordinate in coordinates(spec):
        create_coordinate(group, coordinate, spec)


def create_coordinate(group: zarr.Group, coordinate: Coordinate, spec: StoreSpec) -> zarr.Array[Any]:
    """Create the array of a coordinate, without any values yet."""
    return group.create_array(
        coordinate.name,
        shape=(coordinate.size,),
        dtype=coordinate.dtype,
        chunks=(coordinate.size,),
        compressors=compressors(spec.storage),
        fill_value=np.nan if coordinate.dtype == "float64" else 0,
        dimension_names=(coordinate.dimension,),
        attributes={**coordinate.attributes},
    )
