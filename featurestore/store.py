"""Open a feature store and read from it."""

from __future__ import annotations

import hashlib
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
    MANIFEST,
    ROOT_METADATA,
    STATISTICS,
    STORE_JSON,
    VIEWS,
    safe_object_name,
    shard_path,
)
from featurestore.statistics import Statistics, merge
from schemas.clip import Status
from schemas.errors import StoreDamagedError, StoreNotFoundError, StoreUnfinishedError, UsageError
from schemas.spec import StoreSpec

if TYPE_CHECKING:
    import xarray

RUST_CODECS = "zarrs.ZarrsCodecPipeline"
"""Reads chunks through the Rust implementation: faster, and outside Python's lock."""


class FeatureStore:
    """A finished feature store, opened for reading; make one by :meth:`open`."""

    def __init__(self, path: Path, document: StoreDocument) -> None:
        self.path = path
        self.document = document

    @classmethod
    def open(cls, path: str | Path) -> FeatureStore:
        """Open the store at a local path.

        Raises :class:`StoreNotFoundError` where nothing stands, :class:`StoreUnfinishedError` for a build
        that was not finished, :class:`StoreDamagedError` where ``store.json`` does not hold together.
        """
        path = Path(path)
        if not (path / STORE_JSON).is_file():
            if (path / ROOT_METADATA).is_file():
                raise StoreUnfinishedError(
                    f"{path} is not finished; run `ser-features build --out {path}` with its corpora"
                )
            raise StoreNotFoundError(
                f"there is no feature store at {path}; build one with `ser-features build --out {path}`"
            )
        document = read_document(path / STORE_JSON, StoreDocument)
        if document.digest != document.computed_digest():
            raise StoreDamagedError(
                f"{path / STORE_JSON} does not match its own digest; run `ser-features build` again to repair"
            )
        for name in document.objects:
            safe_object_name(name)
        return cls(path, document)

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
            root = zarr.open_group(zarr.storage.LocalStore(self.path, read_only=True), mode="r")
            return {
                dataset: {
                    feature.kind: _array(root, f"{dataset}/{feature.kind}") for feature in self.spec.features
                }
                for dataset in self.document.datasets
            }

    def to_xarray(self) -> xarray.DataTree:
        """The arrays, lazily, with named dimensions and coordinates: one node a corpus."""
        import xarray

        return xarray.open_datatree(self.path, engine="zarr")

    def read(
        self,
        clips: Sequence[int] | npt.NDArray[np.integer],
        views: Sequence[int] = (0,),
        features: Sequence[str] | None = None,
    ) -> dict[str, npt.NDArray[np.floating]]:
        """Features of clips, as stored: name → (view, clip, coefficient, frame) in the store's dtype.

        ``clips`` are positions in :attr:`manifest`, in any order; ``views`` indices of
        ``spec.view_names``. Each chunk is read once. Bad recordings come as NaN.

        Raises :class:`UsageError` for a clip, view or feature that the store does not hold and
        :class:`StoreDamagedError`, naming clip and object, for a chunk that is missing or damaged.
        """
        wanted = self._checked(features, views)
        positions = np.asarray(clips, dtype=np.int64)
        if len(positions) and not 0 <= positions.min() <= positions.max() < len(self.manifest):
            raise UsageError(f"clip positions run from 0 to {len(self.manifest) - 1}, got {positions.max()}")
        datasets = self.manifest["dataset"].to_numpy()[positions]
        rows = self.manifest["row"].to_numpy()[positions]
        usable = (self.manifest["status"] == Status.OK).to_numpy()[positions]
        coefficients: dict[str, int] = {feature.kind: feature.coefficients for feature in self.spec.features}
        out = {
            name: np.empty(
                (len(views), len(positions), coefficients[name], self.spec.frames), self.spec.storage.dtype
            )
            for name in wanted
        }
        for dataset in np.unique(datasets):
            chosen = np.flatnonzero(datasets == dataset)
            for name in wanted:
                for place, view in enumerate(views):
                    self._read_rows(out[name][place], chosen, rows[chosen], (str(dataset), name, view))
                    self._require_present(out[name][place], chosen[usable[chosen]], positions, (name, view))
        return out

    def valid_frames(
        self, clips: Sequence[int] | npt.NDArray[np.integer], views: Sequence[int] = (0,)
    ) -> npt.NDArray[np.int64]:
        """Frames centred on sound rather than padding, (view, clip) int64; 0 for bad recordings."""
        table = self.views["valid_frames"].to_numpy().reshape(len(self.manifest), len(self.spec.view_names))
        frames: npt.NDArray[np.int64] = table[np.asarray(clips, dtype=np.int64)][:, list(views)].T
        return frames

    def statistics(self, speakers: Collection[str], views: Sequence[int] = (0,)) -> dict[str, Statistics]:
        """Moments of every feature over the valid frames of all usable clips of ``speakers`` in ``views``.

        Exact for the values as stored, without reading an array.
        """
        table = self._statistics
        chosen = table[table["speaker"].isin(list(speakers)) & table["view"].isin(list(views))]
        out: dict[str, Statistics] = {}
        for feature in self.spec.features:
            part = chosen[chosen["feature"] == feature.kind]
            shape = (len(part), feature.coefficients)
            out[feature.kind] = merge(
                part["count"].to_numpy(),
                np.array(part["mean"].tolist(), dtype=np.float64).reshape(shape),
                np.array(part["m2"].tolist(), dtype=np.float64).reshape(shape),
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
            raise StoreDamagedError(f"{name} is missing from {self.path}; {_REPAIR}") from error
        entry = self.document.objects.get(name)
        if entry is None or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise StoreDamagedError(f"{name} in {self.path} is not what store.json says; {_REPAIR}")
        table: pd.DataFrame = pq.read_table(pa.BufferReader(data)).to_pandas()
        return table

    def _checked(self, features: Sequence[str] | None, views: Sequence[int]) -> list[str]:
        known = [feature.kind for feature in self.spec.features]
        wanted = list(known if features is None else features)
        for name in wanted:
            if name not in known:
                raise UsageError(f"the store has no feature '{name}'; it has {', '.join(known)}")
        for view in views:
            if not 0 <= view < len(self.spec.view_names):
                raise UsageError(
                    f"the store has no view {view}; it has 0 to {len(self.spec.view_names) - 1} "
                    f"({', '.join(self.spec.view_names)})"
                )
        return wanted

    def _read_rows(
        self,
        out: npt.NDArray[np.floating],
        places: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        source: tuple[str, str, int],
    ) -> None:
        """Fill ``out[places]`` with ``rows`` of one view, reading spans of whole chunks."""
        dataset, name, view = source
        array = self.arrays[dataset][name]
        for start, stop in _spans(rows, self.spec.storage.chunk_clips, array.shape[1]):
            try:
                block = np.asarray(array[view, start:stop])
            except (RuntimeError, ValueError, OSError) as error:
                unit = start // self.spec.storage.shard_clips
                raise StoreDamagedError(
                    f"{shard_path(dataset, name, view, unit)} cannot be decoded ({error}): rows {start} to "
                    f"{stop - 1} of {dataset}; {_REPAIR}"
                ) from error
            inside = (rows >= start) & (rows < stop)
            out[places[inside]] = block[rows[inside] - start]

    def _require_present(
        self,
        values: npt.NDArray[np.floating],
        usable: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        source: tuple[str, int],
    ) -> None:
        """A usable clip is never NaN: if it is, zarr filled in for a chunk that is not there."""
        lost = usable[np.isnan(values[usable, 0, 0])]
        if len(lost):
            clip = self.manifest.iloc[int(positions[lost[0]])]
            name, view = source
            unit = int(clip["row"]) // self.spec.storage.shard_clips
            raise StoreDamagedError(
                f"{shard_path(clip['dataset'], name, view, unit)} has no data for {clip['clip_id']}; "
                f"{_REPAIR}"
            )


_REPAIR = "run `ser-features verify --full` to see what is damaged, then `ser-features build` to repair"


def _array(root: zarr.Group, path: str) -> zarr.Array[Any]:
    try:
        array = root[path]
    except KeyError as error:
        raise StoreDamagedError(f"array {path} is missing from the store; {_REPAIR}") from error
    if not isinstance(array, zarr.Array):
        raise StoreDamagedError(f"{path} is not an array; {_REPAIR}")
    return array


def _spans(rows: npt.NDArray[np.int64], chunk: int, count: int) -> list[tuple[int, int]]:
    """Runs of adjacent chunks that hold ``rows``, as row ranges within 0 … count, at most 32 chunks each."""
    chunks = np.unique(rows // chunk)
    breaks = np.flatnonzero(np.diff(chunks) > 1) + 1
    parts = (part for run in np.split(chunks, breaks) for part in np.split(run, range(32, len(run), 32)))
    return [(int(p[0]) * chunk, min(count, (int(p[-1]) + 1) * chunk)) for p in parts if len(p)]
