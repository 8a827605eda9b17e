"""The JSON documents of a store: ``store.json``, corpus records and unit records."""

from __future__ import annotations

import builtins
import hashlib
import json
from typing import Any, Literal, TypeVar

from pydantic import Field

from featurestore.format.json_limits import parse_json_document
from featurestore.format.layout import FORMAT_VERSION
from featurestore.format.seal import seal, unseal
from featurestore.places.place import Place
from schemas.errors import StoreDamagedError
from schemas.model import Model, canonical_digest
from schemas.spec import StoreSpec

T = TypeVar("T", bound=Model)

_DIGEST = "^sha256:[0-9a-f]{64}$"

MOST_DOCUMENT = 2**28
"""Bytes of a JSON document: ``store.json`` of ten million clips takes about this much."""


class StoredObject(Model):
    """Size and hash of one file of the store."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, data: builtins.bytes) -> StoredObject:
        """Measure what is to be written."""
        return cls(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    @classmethod
    def at(cls, place: Place, name: str) -> StoredObject:
        """Measure an object as it stands. Raises :class:`FileNotFoundError`."""
        digest, count = hashlib.sha256(), 0
        for block in place.blocks(name):
            digest.update(block)
            count += len(block)
        return cls(bytes=count, sha256=digest.hexdigest())


class IgnoredFile(Model):
    """A file of the corpus's tree that is no clip, and why."""

    path: str
    reason: str


class CorpusRecord(Model):
    """``records/<dataset>/corpus.json``: what the corpus is, how it is laid out, what was left aside.

    ``rows`` are clip ids in the order of the arrays' rows, null where a clip was removed; ``units`` the
    fingerprints of all units in order.
    It is written before any unit is, so that a build that was stopped goes on with the same layout.
    """

    dataset: str
    title: str
    licence: str
    home_page: str
    rows: tuple[str | None, ...]
    units: tuple[str, ...]
    ignored: tuple[IgnoredFile, ...] = ()
    notices: tuple[str, ...] = ()


class UnitRecord(Model):
    """``records/<dataset>/<unit>.json``: proof that a unit is finished, and its part of the tables.

    ``fingerprint`` tells from which recordings, ``spec`` what was computed of them. ``clips`` are rows of
    the manifest. ``parameters``, ``keys`` and ``valid_frames`` are indexed [view][clip]; a
    parameter is null where the view has none or the recording is bad.
    """

    format_version: Literal[3] = FORMAT_VERSION
    feature_version: int
    dataset: str
    unit: int
    fingerprint: str
    spec: StoreSpec
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
    rows: int = Field(ge=0)
    """Of the arrays: the clips, and vacant rows of clips that were removed."""
    clips: int = Field(ge=0)
    bad: int = Field(ge=0)
    ignored: int = Field(ge=0)
    units: int = Field(ge=0)


class StoreDocument(Model):
    """``store.json``: written last, it makes a store valid."""

    format: Literal["ser-feature-store"] = "ser-feature-store"
    format_version: Literal[3] = FORMAT_VERSION
    digest: str = Field(pattern=_DIGEST)
    part_of: str | None = Field(None, pattern=_DIGEST)
    """Digest of the store that this one is a part of; no part of this one's digest."""
    spec: StoreSpec
    spec_digest: str = Field(pattern=_DIGEST)
    feature_version: int
    datasets: dict[str, DatasetEntry]
    objects: dict[str, StoredObject]
    libraries: dict[str, str]

    def computed_digest(self) -> str:
        """The digest that the content asks for: SHA-256 of the canonical JSON of spec and objects."""
        return store_digest(self.spec, self.feature_version, self.datasets, self.objects)


SEALED = (StoreDocument, UnitRecord)
"""Documents that end with the hash of what stands before: nothing else vouches for all of them."""


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


def write_document(place: Place, name: str, document: Model) -> StoredObject:
    """Write a document; returns its size and hash."""
    data = document_bytes(document)
    place.write(name, data)
    return StoredObject.of(data)


def document_bytes(document: Model) -> bytes:
    """A document as indented JSON, with its seal where its kind has one."""
    text = json.dumps(document.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    return seal(text) if isinstance(document, SEALED) else text.encode() + b"\n"


def read_document(place: Place, name: str, kind: type[T]) -> T:
    """Read and validate a document.

    Raises :class:`StoreDamagedError` for one that is not valid, :class:`FileNotFoundError` for none.
    """
    return parse_document(place.read(name, MOST_DOCUMENT), f"{place}/{name}", kind)


def parse_document(data: bytes, source: str, kind: type[T]) -> T:
    """Validate a document. Raises :class:`StoreDamagedError`; ``source`` names it there."""
    if not issubclass(kind, SEALED):
        return parse_json_document(data, source, kind)
    body, true = unseal(data)
    document = parse_json_document(body, source, kind)
    if not true:
        raise broken_seal(source)
    return document


def broken_seal(source: str) -> StoreDamagedError:
    """The error for a document that was changed since it was written."""
    return StoreDamagedError(
        f"{source} was changed since it was written: its last line is not the hash of the rest; do not use "
        f"it, or run `ser-features build --check` with its corpora to repair it"
    )
