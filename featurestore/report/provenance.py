"""The provenance of a store: its digests, and how to verify and rebuild it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from data.registry import CORPORA
from featurestore.format.layout import STORE_JSON
from featurestore.places.folder import Folder
from featurestore.store import FeatureStore
from schemas.folds import number_of_fold
from schemas.imported import ImportedSpec
from schemas.recipe_toml import store_toml

RECIPE_FILE = "again.toml"


@dataclass(frozen=True)
class Provenance:
    """Origin of a store.

    ``copied``: when ``store.json`` was written to this place, in UTC to the minute; None at a URL.
    ``recipe``: TOML from which the commands in ``rebuild`` make a store with the same specification.
    ``libraries``: name → version of the libraries that built it.
    """

    where: str
    digest: str
    part_of: str | None
    spec_digest: str
    format_version: int
    feature_version: int
    objects: int
    bytes: int
    copied: str | None
    libraries: dict[str, str]
    recipe: str
    verify: str
    rebuild: tuple[str, ...]


def collect_provenance(store: FeatureStore) -> Provenance:
    """Collect what ``store.json`` and the date of that file say about the origin of a store."""
    document = store.document
    where = _shown_path(store)
    return Provenance(
        where=where,
        digest=document.digest,
        part_of=document.part_of,
        spec_digest=document.spec_digest,
        format_version=document.format_version,
        feature_version=document.feature_version,
        objects=len(document.objects),
        bytes=sum(entry.bytes for entry in document.objects.values()),
        copied=_written_at(store),
        libraries=dict(document.libraries),
        recipe=store_toml(store.spec.computed, Path(RECIPE_FILE).stem),
        verify=f"ser-features verify {shlex.quote(where)} --full",
        rebuild=_rebuild(store, where),
    )


def _rebuild(store: FeatureStore, where: str) -> tuple[str, ...]:
    spec = store.spec
    from_lists = _with_folds(store)
    names = [
        name if name in CORPORA and name not in from_lists else f"{name}=PATH"
        for name in store.document.datasets
    ]
    options = (
        f"--recipe {RECIPE_FILE} --seed {spec.seed} --dtype {spec.storage.dtype} --codec {spec.storage.codec}"
    )
    datasets = shlex.quote(",".join(names))
    return (
        f"ser-features build --corpora CORPORA --datasets {datasets} {options} --out again.zarr",
        *(_import_command(feature) for feature in spec.imported),
        f"ser-features compare {shlex.quote(where)} again.zarr",
    )


def _import_command(feature: ImportedSpec) -> str:
    files = " ".join(map(shlex.quote, feature.source or ()))
    provenance = shlex.quote(feature.provenance or "")
    return f"ser-features import again.zarr {feature.name} {files} --provenance {provenance}"


def _with_folds(store: FeatureStore) -> set[str]:
    """Corpora that a build found in lists of folds, and so not by their names alone."""
    if "split" not in store.manifest:
        return set()
    pairs = store.manifest[["dataset", "split"]].drop_duplicates()
    return {name for name, split in pairs.itertuples(index=False) if number_of_fold(split) is not None}


def _shown_path(store: FeatureStore) -> str:
    """Path of the store as shown on a page that is passed on: only the name of an absolute path."""
    place = store.place
    return place.path.name if isinstance(place, Folder) and place.path.is_absolute() else str(place)


def _written_at(store: FeatureStore) -> str | None:
    if not isinstance(store.place, Folder):
        return None
    seconds = (store.place.path / STORE_JSON).stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
