"""Paths of the objects in a store (format versions 3 to 5), relative to the store, with forward slashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final, Literal

from featurestore.format.coordinates import coordinates
from schemas.spec import StoreSpec

FORMAT = "ser-feature-store"
FORMAT_VERSION: Final = 3
"""Version of the format of stores without features of encoders."""
ENCODER_FORMAT_VERSION: Final = 4
"""Version of stores with features of encoders or openSMILE: their features have different numbers of
frames, so that records and ``views.parquet`` also hold the samples of each view."""
IMPORTED_FORMAT_VERSION: Final = 5
"""Version of stores with imported features: records and ``views.parquet`` also hold the frames of each clip,
as nothing else gives them."""
FORMAT_VERSIONS = (FORMAT_VERSION, ENCODER_FORMAT_VERSION, IMPORTED_FORMAT_VERSION)
FORMAT_VERSIONS_TEXT = "3 to 5"

STORE_JSON = "store.json"
MANIFEST = "manifest.parquet"
VIEWS = "views.parquet"
STATISTICS = "statistics.parquet"
ROOT_METADATA = "zarr.json"
RECORDS = "records"
VERSIONS, LATEST = "versions", "latest.json"
"""At a place with published versions: the folder of the versions; the file that names the newest."""
RUNS, RUN_LIST = "runs", "runs.json"
"""At a place with published runs: the folder of the runs, each with its versions; the list of the runs."""


def format_version(spec: StoreSpec) -> Literal[3, 4, 5]:
    """Version of the format of a store with ``spec``: the lowest that can hold it."""
    if spec.imported:
        return IMPORTED_FORMAT_VERSION
    return ENCODER_FORMAT_VERSION if spec.own_frames else FORMAT_VERSION


def corpus_record_path(dataset: str) -> str:
    """Path of the record that describes a corpus and lists the files in its folder that are not clips."""
    return f"{RECORDS}/{dataset}/corpus.json"


def unit_record_path(dataset: str, unit: int) -> str:
    """Path of the record of a finished unit."""
    return f"{RECORDS}/{dataset}/{unit:05d}.json"


def unit_statistics_path(dataset: str, unit: int) -> str:
    """Path of the feature statistics of a finished unit."""
    return f"{RECORDS}/{dataset}/{unit:05d}.parquet"


def shard_path(dataset: str, feature: str, view: int, unit: int, layer: int = 0) -> str:
    """Path of the shard that holds one feature in one view for all clips of a unit.

    ``layer`` : position of a layer among those stored; each has its own shard.
    """
    return f"{dataset}/{feature}/c/{view}/{unit}/{layer}/0"


def is_shard(name: str) -> bool:
    """Whether an object is a shard, that is, has a path as :func:`shard_path` makes it."""
    parts = name.split("/")
    return len(parts) == 7 and parts[2] == "c" and parts[4].isdigit()


def unit_record_of(shard: str) -> str:
    """Path of the record of the unit that a shard belongs to."""
    dataset, _, _, _, unit, _, _ = shard.split("/")
    return unit_record_path(dataset, int(unit))


def units_of(rows: int, spec: StoreSpec) -> int:
    """Number of units that ``rows`` rows take."""
    return -(-rows // spec.storage.shard_clips)


def object_names(spec: StoreSpec, rows: Mapping[str, int]) -> Iterator[str]:
    """Path of every object of a finished store except ``store.json``, given the rows of each corpus."""
    yield from (MANIFEST, VIEWS, STATISTICS, ROOT_METADATA)
    names, layers = [coordinate.name for coordinate in coordinates(spec)], spec.layer_counts
    for dataset, count in rows.items():
        units = range(units_of(count, spec))
        yield from (corpus_record_path(dataset), f"{dataset}/{ROOT_METADATA}")
        for name in names:
            yield from (f"{dataset}/{name}/{ROOT_METADATA}", f"{dataset}/{name}/c/0")
        for unit in units:
            yield from (unit_record_path(dataset, unit), unit_statistics_path(dataset, unit))
        for feature in spec.features:
            yield f"{dataset}/{feature.name}/{ROOT_METADATA}"
            places = product(range(len(spec.view_names)), units, range(layers[feature.name]))
            yield from (shard_path(dataset, feature.name, *place) for place in places)
