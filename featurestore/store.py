"""Open a feature store and read from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import zarr
import zarr.storage
from zarr.abc.store import Store
from zarr.storage import StorePath

from featurestore.format.documents import StoreDocument
from featurestore.format.layout import MANIFEST, STATISTICS, VIEWS, shard_path
from featurestore.format.statistics import Statistics, merge
from featurestore.format.zarr_layout import feature_metadata
from featurestore.places.place import Place
from featurestore.read.objects import Objects
from featurestore.read.opening import open_place
from featurestore.read.rows import FeatureArray
from featurestore.read.selection import Layers, Positions, select_features, select_positions, select_views
from featurestore.read.spans import SpanReader
from featurestore.read.table_values import read_manifest, read_statistics, read_views
from featurestore.read.verified_store import VerifiedStore
from schemas.clip import Status
from schemas.errors import UsageError
from schemas.names import is_utf8
from schemas.spec import StoreSpec
from schemas.tables import imported_column
from schemas.valid_frames import count_valid_frames

if TYPE_CHECKING:
    import xarray

RUST_CODECS = "zarrs.ZarrsCodecPipeline"
"""Codec pipeline that decodes chunks in Rust: faster, and without holding Python's global lock."""


class FeatureStore:
    """A finished feature store, opened for reading with :meth:`open`.

    Every object is hashed when it is first used, so that readers get exactly what was written. A remote store
    is read through a cache on this machine, which fills as objects are needed.

    A store may be extended while it is open. If objects that it already had are rebuilt, reading raises
    :class:`StoreChangedError` from then on, because its tables no longer match its arrays.
    """

    def __init__(self, place: Place, document: StoreDocument) -> None:
        self.place = place
        self.document = document
        self.objects = Objects(place, document)

    @classmethod
    def open(cls, where: str | Path) -> FeatureStore:
        """Open the store at a path or URL: ``features.zarr``, ``s3://bucket/features``, ``https://…``.

        At a place with published versions, this opens the newest; ``URL@1a2b3c`` selects one by the first
        digits of its digest.

        Raises :class:`StoreNotFoundError` if there is no store, :class:`StoreUnfinishedError` if its build
        was not finished, :class:`StoreConflictError` if it has another format version,
        :class:`StoreDamagedError` if ``store.json`` is inconsistent, and :class:`StorageError` if the place
        cannot be read.
        """
        return cls(*open_place(where))

    @property
    def spec(self) -> StoreSpec:
        """The exact specification of what was computed."""
        return self.document.spec

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the entire content of the store."""
        return self.document.digest

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row per clip, sorted by corpus and row; columns of :data:`schemas.tables.MANIFEST_SCHEMA`."""
        return read_manifest(self.objects.read(MANIFEST), self.document.datasets)

    @cached_property
    def views(self) -> pd.DataFrame:
        """One row per clip and view, in manifest order; columns of :data:`schemas.tables.VIEWS_SCHEMA`."""
        return read_views(self.objects.read(VIEWS), self.manifest, self.spec)

    @cached_property
    def arrays(self) -> Mapping[str, Mapping[str, zarr.Array[Any]]]:
        """Corpus → feature → lazy (view, clip, coefficient, frame) array, verified on read."""
        return self._arrays(VerifiedStore(self.objects, self.document))

    def to_xarray(self) -> xarray.DataTree:
        """The lazy arrays as a tree with one node per corpus, with named dimensions and coordinates."""
        import xarray

        store = VerifiedStore(self.objects, self.document)
        return xarray.open_datatree(store, engine="zarr")  # type: ignore[arg-type] # xarray accepts any Zarr store

    def read(
        self,
        clips: Positions,
        views: Sequence[int] = (0,),
        features: Sequence[str] | None = None,
        layers: Layers = None,
    ) -> dict[str, npt.NDArray[np.floating]]:
        """Read features of clips as stored: name → (view, clip, coefficient, frame) in the store's dtype.

        ``clips`` are positions in :attr:`manifest`, in any order; ``views`` are indices into
        ``spec.view_names``. ``layers`` are hidden states of the encoders among ``features``, in the order to
        read them, or a mapping from feature to layers; None: all that are stored. Only their objects are
        fetched. Each chunk is read once. Bad recordings are NaN, and imported features of clips that have no
        values (:meth:`has_values`).

        Raises :class:`UsageError` for a clip, view, feature or layer that the store does not have,
        :class:`StoreDamagedError`, naming the object, if a chunk is missing or damaged, and
        :class:`StoreChangedError` if the store was rebuilt after it was opened.
        """
        wanted = select_features(self.spec, features, layers)
        indices = select_views(self.spec, views)
        positions = select_positions(len(self.manifest), clips)
        datasets = self.manifest["dataset"].to_numpy()[positions]
        rows = self.manifest["row"].to_numpy()[positions]
        storage = self.spec.storage
        out = {
            one.name: np.empty(
                (len(indices), len(positions), one.coefficients, self.spec.shapes[one.name][1]), storage.dtype
            )
            for one in wanted
        }
        needed = [
            shard_path(dataset, one.name, view, int(unit), layer)
            for dataset in np.unique(datasets)
            for unit in np.unique(rows[datasets == dataset] // storage.shard_clips)
            for one in wanted
            for view in indices
            for layer in one.layers
        ]
        self.objects.ensure(needed)
        for dataset in np.unique(datasets):
            inside = np.flatnonzero(datasets == dataset)
            for one in wanted:
                array = FeatureArray(
                    dataset, one, self._files[dataset][one.name], storage.chunk_clips, storage.shard_clips
                )
                for view, part in zip(indices, out[one.name], strict=True):
                    usable = self.has_values([one.name], view)[positions]
                    block = np.empty((len(inside), *part.shape[1:]), storage.dtype)
                    array.read_into(block, view, rows[inside], usable[inside])
                    part[inside] = block
        self.objects.require_unchanged(needed)
        return out

    def span_reader(self, features: Sequence[str], layers: Layers = None) -> SpanReader:
        """A reader of scattered runs of rows for streaming, with ``features`` stacked in the given order.

        ``layers`` as for :meth:`read`. Raises :class:`UsageError` for a feature or layer that the store does
        not have, and for features that differ in their number of frames.
        """
        wanted = select_features(self.spec, features, layers)
        self.spec.common_frames(features)
        return SpanReader(self.objects, self.manifest, self._files, wanted, self.spec, self.has_values)

    def has_values(self, features: Sequence[str], view: int = 0) -> npt.NDArray[np.bool_]:
        """Which clips of the manifest have values of all ``features`` in a view, (clips,) bool.

        All usable clips have those of computed features. Imported features exist for the original view
        alone, and for the clips that their source had. Raises :class:`UsageError` for an unknown feature.
        """
        select_features(self.spec, features)
        found = self._usable
        for feature in self.spec.imported:
            if feature.name in features:
                found = found & (self._imported_frames(feature.name)[:, view] > 0)
        return found

    @cached_property
    def _usable(self) -> npt.NDArray[np.bool_]:
        """Which recordings are usable, (clips,) bool."""
        usable: npt.NDArray[np.bool_] = (self.manifest["status"] == Status.OK).to_numpy()
        return usable

    def _imported_frames(self, feature: str) -> npt.NDArray[np.int64]:
        """Frames of an imported feature, (clip, view) int64."""
        column: npt.NDArray[np.int64] = self.views[imported_column(feature)].to_numpy()
        return column.reshape(len(self.manifest), len(self.spec.view_names))

    def valid_frames(
        self, clips: Positions, views: Sequence[int] = (0,), feature: str | None = None
    ) -> npt.NDArray[np.int64]:
        """Number of frames centred on sound rather than padding, (view, clip) int64; 0 for bad recordings.

        ``feature`` : whose frames; None: of all features but encoders and imported ones, which have their
        own. A pooled feature has 1, an imported one 0 if the clip has no values. Raises :class:`UsageError`
        for a feature that the store does not have.
        """
        positions, indices = select_positions(len(self.manifest), clips), select_views(self.spec, views)
        name = feature or ""
        if feature is not None:
            select_features(self.spec, [feature])
        if any(imported.name == name for imported in self.spec.imported):
            return self._imported_frames(name)[positions][:, indices].T
        encoded = any(other.name == name for other in self.spec.own_frames)
        column = self.views["samples" if encoded else "valid_frames"].to_numpy()
        table = column.reshape(len(self.manifest), len(self.spec.view_names))
        frames: npt.NDArray[np.int64] = table[positions][:, indices].T
        return count_valid_frames(self.spec, name, frames) if encoded else frames

    def statistics(self, speakers: Collection[str], views: Sequence[int] = (0,)) -> dict[str, Statistics]:
        """Moments of every feature over the valid frames of all usable clips of ``speakers`` in ``views``.

        Exact for the values as stored, and computed without reading an array. Raises :class:`UsageError` for
        a speaker or view that the store does not have.
        """
        unknown = set(speakers) - set(self.manifest["speaker"])
        if unknown:
            raise UsageError(
                f"the store has no speaker '{min(unknown)}'; store.manifest['speaker'] lists the speakers"
            )
        table = self.statistics_table
        chosen = table[
            table["speaker"].isin(list(speakers)) & table["view"].isin(select_views(self.spec, views))
        ]
        out: dict[str, Statistics] = {}
        for name, count in self.spec.coefficients.items():
            part = chosen[chosen["feature"] == name]
            out[name] = merge(
                part["count"].to_numpy(),
                np.array(part["mean"].tolist(), dtype=np.float64).reshape(len(part), count),
                np.array(part["m2"].tolist(), dtype=np.float64).reshape(len(part), count),
            )
        return out

    @cached_property
    def statistics_table(self) -> pd.DataFrame:
        """Moments by corpus, unit, speaker, view and feature, from which :meth:`statistics` merges.

        Columns of :data:`featurestore.format.statistics.STATISTICS_SCHEMA`.
        """
        return read_statistics(self.objects.read(STATISTICS), self.manifest, self.spec)

    @cached_property
    def _files(self) -> Mapping[str, Mapping[str, zarr.Array[Any]]]:
        """The arrays over the files themselves, to be read only after the files were verified."""
        files = zarr.storage.LocalStore(self.objects.folder, read_only=True)
        if not is_utf8(str(self.objects.folder)):  # zarrs knows no other; zarr decodes the same
            return self._arrays(files)
        with zarr.config.set({"codec_pipeline.path": RUST_CODECS}):
            return self._arrays(files)

    def _arrays(self, store: Store) -> Mapping[str, Mapping[str, zarr.Array[Any]]]:
        """Arrays with the metadata that the specification requires; the stored ``zarr.json`` is not read."""
        return {
            dataset: {
                feature: zarr.Array.from_dict(StorePath(store, f"{dataset}/{feature}"), metadata)
                for feature, metadata in feature_metadata(self.spec, entry.rows).items()
            }
            for dataset, entry in self.document.datasets.items()
        }
