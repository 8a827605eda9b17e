"""Published versions of a store or a run under one URL: each is complete and immutable, one is the newest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError

from featurestore.format.documents import StoreDocument, parse_document
from featurestore.format.layout import FORMAT_VERSION, LATEST, VERSIONS
from featurestore.places.place import Place
from schemas.errors import SerError, StoreDamagedError, StoreNotFoundError
from schemas.model import Model

_MOST_LATEST = 2**24
_VERSIONED = re.compile(r"^(?P<where>.+)@(?P<version>[0-9a-f]{4,64})$")

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]{0,31}$")]
"""Name of a feature or a view, without control characters because it is printed."""


class AnyVersion(Model):
    """One version of a store or of a run: its id and the digest of its content."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    digest: str = Field(pattern="^sha256:[0-9a-f]{64}$")


V = TypeVar("V", bound=AnyVersion)


class AnyVersions(Model, Generic[V]):
    """``latest.json`` of a place with published versions; ``versions`` are listed from oldest to newest."""

    format: str
    format_version: int
    latest: str = Field(pattern="^[0-9a-f]{16}$")
    versions: tuple[V, ...]

    @classmethod
    def extend(cls, before: Self | None, version: V) -> Self:
        """The versions ``before``, and ``version`` as the newest."""
        versions: Sequence[V] = before.versions if before else ()
        if version.id not in {entry.id for entry in versions}:
            versions = (*versions, version)
        return cls.model_validate({"latest": version.id, "versions": tuple(versions)})

    @classmethod
    def other_kind_error(cls, place: Place) -> SerError:
        """The error if another kind of thing is published at ``place``."""
        raise NotImplementedError


L = TypeVar("L", bound=AnyVersions[Any])


class Version(AnyVersion):
    """One version of a store, and what a person wants to know before choosing it."""

    clips: int = Field(ge=0)
    bytes: int = Field(ge=0)
    features: tuple[_Name, ...]
    views: tuple[_Name, ...]

    @classmethod
    def of(cls, document: StoreDocument) -> Version:
        """The version that publishing a store creates."""
        return cls(
            id=version_id(document.digest),
            digest=document.digest,
            clips=sum(entry.clips for entry in document.datasets.values()),
            bytes=sum(entry.bytes for entry in document.objects.values()),
            features=tuple(document.spec.coefficients),
            views=document.spec.view_names,
        )


class Versions(AnyVersions[Version]):
    """``latest.json`` of a place with published stores."""

    format: Literal["ser-feature-store-versions"] = "ser-feature-store-versions"
    format_version: Literal[3] = FORMAT_VERSION

    @classmethod
    def other_kind_error(cls, place: Place) -> SerError:
        """The error if a run is published at ``place``."""
        return StoreNotFoundError(
            f"{place} is a published run, not a feature store; give it to ser-predict or ser-evaluate"
        )


def version_id(digest: str) -> str:
    """Name of a version: the first 16 hexadecimal digits of the store's digest."""
    return digest.removeprefix("sha256:")[:16]


def version_folder(version: str) -> str:
    """Path of a version below its URL."""
    return f"{VERSIONS}/{version}"


def read_versions(place: Place) -> Versions | None:
    """Read the versions of stores published at a place; None if there are none."""
    return read_versions_of(place, Versions)


def read_versions_of(place: Place, kind: type[L]) -> L | None:
    """Read the versions published at a place; None if there are none.

    Raises :class:`StoreDamagedError` for a damaged list, and ``kind.other_kind_error`` for another kind.
    """
    try:
        data = place.read(LATEST, _MOST_LATEST)
    except FileNotFoundError:
        return None
    try:
        return parse_document(data, f"{place}/{LATEST}", kind)
    except StoreDamagedError:
        if _format_of(data) not in (None, kind.model_fields["format"].default):
            raise kind.other_kind_error(place) from None
        raise


class _Format(BaseModel):
    """The only field that is read from a list of another kind."""

    format: Literal["ser-feature-store-versions", "ser-run-versions"]


def _format_of(data: bytes) -> str | None:
    """The format of a list of versions; None if it is none."""
    try:
        return _Format.model_validate_json(data).format
    except ValidationError:
        return None


def split_version(where: str) -> tuple[str, str | None]:
    """Split ``URL@1a2b…`` into URL and version; the version is None if none is named."""
    named = _VERSIONED.match(where)
    return (named["where"], named["version"]) if named else (where, None)


def find_version(published: AnyVersions[Any], wanted: str | None, place: Place) -> str:
    """Id of the version whose digest begins with ``wanted``, or of the newest if it is None.

    Raises :class:`StoreNotFoundError` if no version or several match.
    """
    if wanted is None:
        return published.latest
    found = [version.id for version in published.versions if version.digest[7:].startswith(wanted)]
    if len(found) == 1:
        return str(found[0])
    known = ", ".join(version.id for version in published.versions)
    problem = "matches several versions" if found else "matches no version"
    raise StoreNotFoundError(f"@{wanted} {problem} at {place}; choose one of {known}")
