"""The JSON documents of a store: ``store.json``, corpus records and unit records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from featurestore.durable import sha256_of, write_durably
from featurestore.layout import FORMAT_VERSION
from schemas.errors import StoreDamagedError
from schemas.model import Model, canonical_digest
from schemas.recipe import first_problem
from schemas.spec import StoreSpec

T = TypeVar("T", bound=Model)


class StoredObject(Model):
    """Size and hash of one file of the store."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, path: Path) -> StoredObject:
        """Measure a file."""
        return cls(bytes=path.stat().st_size, sha256=sha256_of(path))


class IgnoredFile(Model):
    """A file of the corpus's tree that is no clip, and why."""

    path: str
    reason: str


class CorpusRecord(Model):
    """``records/<dataset>/corpus.json``: what the corpus is, how it is laid out, what was left aside.

    ``rows`` are clip ids in the order of the arrays' rows, ``units`` the fingerprints of all units in order.
    It is written before any unit is, so that a build that was stopped goes on with the same layout.
    """

    dataset: str
    title: str
    licence: str
    home_page: str
    rows: tuple[str, ...]
    units: tuple[str, ...]
    ignored: tuple[IgnoredFile, ...] = ()
    notices: tuple[str, ...] = ()


class UnitRecord(Model):
    """``records/<dataset>/<unit>.json``: proof that a unit is finished, and its part of the tables.

    ``clips`` are rows of the manifest. ``parameters``, ``keys`` and ``valid_frames`` are indexed
    [view][clip]; a parameter is null where the view has none or the recording is bad.
    """

    format_version: Literal[1] = 1
    feature_version: int
    dataset: str
    unit: int
    fingerprint: str
    clips: tuple[dict[str, Any], ...]
    parameters: tuple[tuple[float | None, ...], ...]
    keys: tuple[tuple[str, ...], ...]
    valid_frames: tuple[tuple[int, ...], ...]
    objects: dict[str, StoredObject]


class DatasetEntry(Model):
    """One corpus in ``store.json``."""

    title: str
    licence: str
    home_page: str
    clips: int
    bad: int
    ignored: int
    units: int


class StoreDocument(Model):
    """``store.json``: written last, it makes a store valid."""

    format: Literal["ser-feature-store"] = "ser-feature-store"
    format_version: Literal[1] = 1
    digest: str
    spec: StoreSpec
    spec_digest: str
    feature_version: int
    datasets: dict[str, DatasetEntry]
    objects: dict[str, StoredObject]
    libraries: dict[str, str]

    def computed_digest(self) -> str:
        """The digest that the content asks for: SHA-256 of the canonical JSON of spec and objects."""
        return store_digest(self.spec, self.feature_version, self.datasets, self.objects)


def store_digest(
    spec: StoreSpec,
    feature_version: int,
    datasets: dict[str, DatasetEntry],
    objects: dict[str, StoredObject],
) -> str:
    """``sha256:`` and the hash over versions, specification, corpora and all objects."""
    return canonical_digest(
        {
            "format_version": FORMAT_VERSION,
            "feature_version": feature_version,
            "spec": spec.model_dump(mode="json"),
            "datasets": {name: entry.model_dump() for name, entry in datasets.items()},
            "objects": {name: entry.model_dump() for name, entry in objects.items()},
        }
    )


def write_document(path: Path, document: Model) -> None:
    """Write a document as indented JSON, durably."""
    text = json.dumps(document.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    write_durably(path, text.encode() + b"\n")


def read_document(path: Path, kind: type[T]) -> T:
    """Read and validate a document. Raises :class:`StoreDamagedError` for one that is not valid."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreDamagedError(
            f"{path} is damaged ({first_problem(error)}); "
            f"run `ser-features build --check` with its corpora to repair it"
        ) from error
