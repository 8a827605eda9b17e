"""The JSON documents of a store: ``store.json``, corpus records and unit records."""

from __future__ import annotations

import builtins
import hashlib
import json
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from featurestore.format.json_limits import parse_json_document
from featurestore.format.layout import FORMAT_VERSION, format_version
from featurestore.format.manifest import ManifestRow, omit_empty
from featurestore.format.seal import seal, unseal
from featurestore.places.place import Place
from schemas.errors import StoreDamagedError, UsageError
from schemas.model import Model, canonical_digest
from schemas.segmentation import parse_segmentation
from schemas.spec import StoreSpec

T = TypeVar("T", bound=Model)

_DIGEST = "^sha256:[0-9a-f]{64}$"

MOST_DOCUMENT = 2**28
"""Largest JSON document, in bytes: about the size of ``store.json`` for ten million clips."""


class StoredObject(Model):
    """Size and SHA-256 of one object of a store."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, data: builtins.bytes) -> StoredObject:
        """Size and hash of bytes to be written."""
        return cls(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    @classmethod
    def at(cls, place: Place, name: str) -> StoredObject:
        """Size and hash of an existing object. Raises :class:`FileNotFoundError`."""
        digest, count = hashlib.sha256(), 0
        for block in place.blocks(name):
            digest.update(block)
            count += len(block)
        return cls(bytes=count, sha256=digest.hexdigest())


class IgnoredFile(Model):
    """A file in the corpus's folder that is not a clip, and why."""

    path: str
    reason: str


class CorpusRecord(Model):
    """``records/<dataset>/corpus.json``: description of a corpus, its rows and its ignored files.

    ``rows`` are the clip ids in the order of the arrays' rows, null for the row of a removed clip; ``units``
    the fingerprints of all units in order. The record is written before any unit, so that a resumed build
    assigns the same rows.
    """

    dataset: str
    title: str
    licence: str
    home_page: str
    rows: tuple[str | None, ...]
    units: tuple[str, ...]
    ignored: tuple[IgnoredFile, ...] = ()
    notices: tuple[str, ...] = ()
    segment: str | None = None
    """How recordings were cut into clips (:mod:`schemas.segmentation`); absent if they were not."""

    @field_validator("segment")
    @classmethod
    def _check_segment(cls, text: str | None) -> str | None:
        try:
            return None if text is None else str(parse_segmentation(text))
        except UsageError as error:
            raise ValueError(str(error)) from error

    @model_serializer(mode="wrap")
    def _omit_absent(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialise(self)
        if self.segment is None:
            del values["segment"]
        return values


class UnitRecord(Model):
    """``records/<dataset>/<unit>.json``: proof that a unit is finished, and its part of the tables.

    ``fingerprint`` identifies the recordings, ``spec`` what was computed from them. ``clips`` are rows of
    the manifest, with those of its optional columns in which one of them has a value. ``parameters``,
    ``keys``, ``samples`` and ``valid_frames`` are indexed [view][clip]; a parameter is null if the view has
    none or the recording is unusable. Only a store with encoders or openSMILE has ``samples``, the length of
    each view at the store's sample rate. Only one with imported features has ``imported_frames``: feature →
    frames of each clip, 0 if it has no values.

    While a build replaces a unit with imported features, its old record has no ``fingerprint``, and
    ``announced`` gives what shards of these features may be by now besides what ``objects`` says.
    """

    format_version: Literal[3, 4, 5] = FORMAT_VERSION
    feature_version: int
    dataset: str
    unit: int
    fingerprint: str
    spec: StoreSpec
    clips: tuple[ManifestRow, ...]
    parameters: tuple[tuple[float | None, ...], ...]
    keys: tuple[tuple[str, ...], ...]
    samples: tuple[tuple[int, ...], ...] | None = None
    valid_frames: tuple[tuple[int, ...], ...]
    imported_frames: dict[str, tuple[int, ...]] | None = None
    objects: dict[str, StoredObject]
    announced: dict[str, tuple[StoredObject, ...]] | None = None

    @model_validator(mode="after")
    def _check_version(self) -> Self:
        _require_version(self.format_version, self.spec)
        if (self.samples is None) == bool(self.spec.own_frames):
            raise ValueError(f"format version {self.format_version} and samples do not fit together")
        if set(self.imported_frames or {}) != {feature.name for feature in self.spec.imported}:
            raise ValueError("the specification and imported_frames do not name the same features")
        return self

    @model_serializer(mode="wrap")
    def _omit_absent(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialise(self)
        if self.samples is None:
            del values["samples"]
        omit_empty(values["clips"])
        if self.imported_frames is None:
            del values["imported_frames"]
        if self.announced is None:
            del values["announced"]
        return values


class DatasetEntry(Model):
    """One corpus in ``store.json``."""

    title: str
    licence: str
    home_page: str
    rows: int = Field(ge=0)
    """Rows of the arrays: one per clip, and the vacant rows of removed clips."""
    clips: int = Field(ge=0)
    bad: int = Field(ge=0)
    ignored: int = Field(ge=0)
    units: int = Field(ge=0)


class StoreDocument(Model):
    """``store.json``: written last, makes a store valid."""

    format: Literal["ser-feature-store"] = "ser-feature-store"
    format_version: Literal[3, 4, 5] = FORMAT_VERSION
    digest: str = Field(pattern=_DIGEST)
    part_of: str | None = Field(None, pattern=_DIGEST)
    """Digest of the store that this one is a part of; not included in this store's digest."""
    spec: StoreSpec
    spec_digest: str = Field(pattern=_DIGEST)
    feature_version: int
    datasets: dict[str, DatasetEntry]
    objects: dict[str, StoredObject]
    libraries: dict[str, str]

    @model_validator(mode="after")
    def _check_version(self) -> Self:
        _require_version(self.format_version, self.spec)
        return self

    def computed_digest(self) -> str:
        """The digest that ``digest`` must equal; see :func:`store_digest`."""
        return store_digest(self.spec, self.feature_version, self.datasets, self.objects)


def _require_version(version: int, spec: StoreSpec) -> None:
    if version != format_version(spec):
        raise ValueError(f"format version {version} cannot hold this specification")


SEALED = (StoreDocument, UnitRecord)
"""Documents that end with the hash of their other bytes: nothing else protects all of them."""


def store_digest(
    spec: StoreSpec,
    feature_version: int,
    datasets: dict[str, DatasetEntry],
    objects: dict[str, StoredObject],
) -> str:
    """``sha256:`` and the SHA-256 of the canonical JSON of versions, specification, corpora and objects."""
    return canonical_digest(
        {
            "format_version": format_version(spec),
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
    """A document as indented JSON, with a seal if its kind has one."""
    text = json.dumps(document.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    return seal(text) if isinstance(document, SEALED) else text.encode() + b"\n"


def read_document(place: Place, name: str, kind: type[T]) -> T:
    """Read and validate a document.

    Raises :class:`StoreDamagedError` if it is invalid, :class:`FileNotFoundError` if it is absent.
    """
    return parse_document(place.read(name, MOST_DOCUMENT), f"{place}/{name}", kind)


def parse_document(data: bytes, source: str, kind: type[T]) -> T:
    """Validate a document. Raises :class:`StoreDamagedError`, which names ``source``."""
    if not issubclass(kind, SEALED):
        return parse_json_document(data, source, kind)
    body, true = unseal(data)
    document = parse_json_document(body, source, kind)
    if not true:
        raise broken_seal(source)
    return document


def broken_seal(source: str) -> StoreDamagedError:
    """The error for a document that has changed since it was written."""
    return StoreDamagedError(
        f"{source} was changed since it was written: its last line is not the hash of the rest; do not use "
        f"it, or run `ser-features build --check` with its corpora to repair it"
    )
