"""Open a feature store and read from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
import zarr.errors
import zarr.storage

from featurestore.documents import StoreDocument, read_document
from featurestore.layout import (
    FORMAT_VERSION,
    MANIFEST,
    ROOT_METADATA,
    STATISTICS,
    STORE_JSON,
    VIEWS,
    is_shard,
    safe_object_name,
)
from featurestore.rows import REPAIR, FeatureArray
from featurestore.statistics import Statistics, merge
from schemas.clip import Status
from schemas.errors import (
    StoreChangedError,
    StoreConflictError,
    StoreDamagedError,
    StoreNotFoundError,
    StoreUnfinishedError,
    UsageError,
)
from schemas.spec import StoreSpec

if TYPE_CHECKING:
    import xarray

Positions = Sequence[int] | npt.NDArray[np.integer]

RUST_CODECS = "zarrs.ZarrsCodecPipeline"
"""Reads chunks through the Rust implementation: faster, and outside Python's lock."""


class FeatureStore:
    """A finished feature store, opened for reading; make one by :meth:`open`.

    A store may be extended while it is open. If what it held is rebuilt, reading from it raises
    :class:`StoreChangedError` from then on: its tables no longer fit its arrays.
    """

    def __init__(self, path: Path, document: StoreDocument) -> None:
        self.path = path
        self.document = document
        self._seen = _identity(path)

    @classmethod
    def open(cls, path: str | Path) -> FeatureStore:
        """Open the store at a local path.

        Raises :class:`StoreNotFoundError` where nothing stands, :class:`StoreUnfinishedError` for a build
        that was not finished, :class:`StoreConflictError` for another version of the format,
        :class:`StoreDamagedError` where ``store.json`` does not hold together.
        """
        path = Path(path)
        return cls(path, _read_store_json(path))

    @property
    def spec(self) -> StoreSpec:
        """What was computed, exactly."""
        return self.document.spec

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of all that the store holds."""
        return self.document.digest

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row a clip, columns of :data:`schemas.clip.MANIFEST_SCHEMA`, by corpus and row."""
        return self._table(MANIFEST)

    @cached_property
    def views(self) -> pd.DataFrame:
        """One row a clip × view, columns of :data:`schemas.clip.VIEWS_SCHEMA`, in the manifest's order."""
        return self._table(VIEWS)

    @cached_property
    def arrays(self) -> Mapping[str, Mapping[str, zarr.Array[Any]]]:
        """Corpus → feature → array (view, clip, coefficient, frame)."""
        with zarr.config.set({"codec_pipeline.path": RUST_CODECS}):
            root = zarr.storage.LocalStore(self.path, read_only=True)
            return {
                dataset: {f.kind: _open_array(root, f"{dataset}/{f.kind}") for f in self.spec.features}
                for dataset in self.document.datasets
            }

    def to_xarray(self) -> xarray.DataTree:
        """The arrays, lazily, with named dimensions and coordinates: one node a corpus."""
        import xarray

        return xarray.open_datatree(self.path, engine="zarr")

    def read(
        self, clips: Positions, views: Sequence[int] = (0,), features: Sequence[str] | None = None
    ) -> dict[str, npt.NDArray[np.floating]]:
        """Features of clips, as stored: name → (view, clip, coefficient, frame) in the store's dtype.

        ``clips`` are positions in :attr:`manifest`, in any order; ``views`` indices of
        ``spec.view_names``. Each chunk is read once. Bad recordings come as NaN.

        Raises :class:`UsageError` for a clip, view or feature that the store does not hold,
        :class:`StoreDamagedError`, naming the object, for a chunk that is missing or damaged, and
        :class:`StoreChangedError` where the store was rebuilt since it was opened.
        """
        wanted = self._features(features)
        chosen_views = self._views(views)
        positions = self._positions(clips)
        datasets = self.manifest["dataset"].to_numpy()[positions]
        rows = self.manifest["row"].to_numpy()[positions]
        usable = (self.manifest["status"] == Status.OK).to_numpy()[positions]
        storage = self.spec.storage
        out = {
            name: np.empty((len(chosen_views), len(positions), count, self.spec.frames), storage.dtype)
            for name, count in wanted.items()
        }
        for dataset in np.unique(datasets):
            places = np.flatnonzero(datasets == dataset)
            for name, values in out.items():
                array = FeatureArray(
                    dataset, name, self.arrays[dataset][name], storage.chunk_clips, storage.shard_clips
                )
                for view, part in zip(chosen_views, values, strict=True):
                    block = np.empty((len(places), *part.shape[1:]), storage.dtype)
                    array.read_into(block, view, rows[places], usable[places])
                    part[places] = block
        self._require_unchanged()
        return out

    def valid_frames(self, clips: Positions, views: Sequence[int] = (0,)) -> npt.NDArray[np.int64]:
        """Frames centred on sound rather than padding, (view, clip) int64; 0 for bad recordings."""
        positions, chosen_views = self._positions(clips), self._views(views)
        table = self.views["valid_frames"].to_numpy().reshape(len(self.manifest), len(self.spec.view_names))
        frames: npt.NDArray[np.int64] = table[positions][:, chosen_views].T
        return frames

    def statistics(self, speakers: Collection[str], views: Sequence[int] = (0,)) -> dict[str, Statistics]:
        """Moments of every feature over the valid frames of all usable clips of ``speakers`` in ``views``.

        Exact for the values as stored, without reading an array. Raises :class:`UsageError` for a speaker
        or view that the store does not hold.
        """
        unknown = set(speakers) - set(self.manifest["speaker"])
        if unknown:
            raise UsageError(f"the store has no speaker '{min(unknown)}'; store.manifest['speaker'] has all")
        table = self._statistics
        chosen = table[table["speaker"].isin(list(speakers)) & table["view"].isin(self._views(views))]
        out: dict[str, Statistics] = {}
        for name, count in self._features(None).items():
            part = chosen[chosen["feature"] == name]
            out[name] = merge(
                part["count"].to_numpy(),
                np.array(part["mean"].tolist(), dtype=np.float64).reshape(len(part), count),
                np.array(part["m2"].tolist(), dtype=np.float64).reshape(len(part), count),
            )
        return out

    @cached_property
    def _statistics(self) -> pd.DataFrame:
        return self._table(STATISTICS)

    def _table(self, name: str) -> pd.DataFrame:
        """A table of the store, once its bytes match ``store.json``."""
        try:
            data = (self.path / name).read_bytes()
        except FileNotFoundError as error:
            self._require_unchanged()
            raise StoreDamagedError(f"{name} is missing from {self.path}; {REPAIR}") from error
        entry = self.document.objects.get(name)
        if entry is None or hashlib.sha256(data).hexdigest() != entry.sha256:
            self._require_unchanged()
            raise StoreDamagedError(f"{name} in {self.path} is not what store.json says; {REPAIR}")
        table: pd.DataFrame = pq.read_table(pa.BufferReader(data)).to_pandas()
        return table

    def _features(self, names: Sequence[str] | None) -> dict[str, int]:
        """Name → number of coefficients of the features asked for."""
        known = self.spec.coefficients
        for name in names or ():
            if name not in known:
                raise UsageError(f"the store has no feature '{name}'; it has {', '.join(known)}")
        return {name: known[name] for name in (known if names is None else names)}

    def _views(self, views: Sequence[int]) -> list[int]:
        names = self.spec.view_names
        for view in views:
            if not 0 <= view < len(names):
                raise UsageError(
                    f"the store has no view {view}; it has 0 to {len(names) - 1} ({', '.join(names)})"
                )
        return [int(view) for view in views]

    def _positions(self, clips: Positions) -> npt.NDArray[np.int64]:
        positions = np.asarray(clips)
        if positions.size == 0:
            return np.empty(0, np.int64)
        if not np.issubdtype(positions.dtype, np.integer):
            raise UsageError(
                f"clips are positions in the manifest, whole numbers, not {positions.dtype}; "
                f"for a condition give manifest.index[condition]"
            )
        outside = positions[(positions < 0) | (positions >= len(self.manifest))]
        if len(outside):
            raise UsageError(f"clip positions run from 0 to {len(self.manifest) - 1}, got {outside[0]}")
        return positions.astype(np.int64)

    def _require_unchanged(self) -> None:
        """Make sure that the arrays are still those of the tables that were read."""
        now = _identity(self.path)
        if now == self._seen:
            return
        fresh = _read_store_json(self.path) if now is not None else None
        if fresh is None or any(
            fresh.objects.get(name) != entry
            for name, entry in self.document.objects.items()
            if is_shard(name)
        ):
            raise StoreChangedError(f"{self.path} was rebuilt since it was opened; open it again")
        self._seen = now


def _read_store_json(path: Path) -> StoreDocument:
    """``store.json``, valid and true to its own digest. Raises as :meth:`FeatureStore.open` does."""
    if not (path / STORE_JSON).is_file():
        if (path / ROOT_METADATA).is_file():
            raise StoreUnfinishedError(
                f"{path} is not finished; run `ser-features build --out {path}` with its corpora"
            )
        raise StoreNotFoundError(
            f"there is no feature store at {path}; build one with `ser-features build --out {path}`"
        )
    try:
        document = read_document(path / STORE_JSON, StoreDocument)
    except StoreDamagedError:
        _refuse_other_version(path)
        raise
    if document.digest != document.computed_digest():
        raise StoreDamagedError(f"{path / STORE_JSON} does not match its own digest; {REPAIR}")
    for name in document.objects:
        safe_object_name(name)
    return document


def _refuse_other_version(path: Path) -> None:
    try:
        version = json.loads((path / STORE_JSON).read_bytes()).get("format_version")
    except (ValueError, AttributeError):
        return
    if version != FORMAT_VERSION:
        raise StoreConflictError(
            f"{path} has format version {version}, this program reads version {FORMAT_VERSION}; "
            f"install the release that wrote it"
        )


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes when ``store.json`` is written anew; None while it is not there."""
    try:
        status = (path / STORE_JSON).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _open_array(root: zarr.storage.LocalStore, path: str) -> zarr.Array[Any]:
    try:
        return zarr.open_array(root, path=path, mode="r")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zarr.errors.BaseZarrError) as error:
        raise StoreDamagedError(f"the metadata of {path} cannot be read ({error}); {REPAIR}") from error
