"""Published versions of a store under one URL: each is complete and immutable, and one is the newest."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from featurestore.format.documents import StoreDocument, parse_document
from featurestore.format.layout import FORMAT_VERSION, LATEST, VERSIONS
from featurestore.places.place import Place
from schemas.errors import StoreNotFoundError
from schemas.model import Model

_MOST_LATEST = 2**24
_VERSIONED = re.compile(r"^(?P<where>.+)@(?P<version>[0-9a-f]{4,64})$")

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]{0,31}$")]
"""Name of a feature or a view, without control characters because it is printed."""


class Version(Model):
    """One version: its id, and what a person wants to know before choosing it."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    digest: str = Field(pattern="^sha256:[0-9a-f]{64}$")
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


class Versions(Model):
    """``latest.json`` of a place with published versions; ``versions`` are listed from oldest to newest."""

    format: Literal["ser-feature-store-versions"] = "ser-feature-store-versions"
    format_version: Literal[3] = FORMAT_VERSION
    latest: str = Field(pattern="^[0-9a-f]{16}$")
    versions: tuple[Version, ...]


def version_id(digest: str) -> str:
    """Name of a version: the first 16 hexadecimal digits of the store's digest."""
    return digest.removeprefix("sha256:")[:16]


def version_folder(version: str) -> str:
    """Path of a version below its URL."""
    return f"{VERSIONS}/{version}"


def read_versions(place: Place) -> Versions | None:
    """Read the versions published at a place; None if there are none."""
    try:
        data = place.read(LATEST, _MOST_LATEST)
    except FileNotFoundError:
        return None
    return parse_document(data, f"{place}/{LATEST}", Versions)


def split_version(where: str) -> tuple[str, str | None]:
    """Split ``URL@1a2b…`` into URL and version; the version is None if none is named."""
    named = _VERSIONED.match(where)
    return (named["where"], named["version"]) if named else (where, None)


def find_version(published: Versions, wanted: str | None, place: Place) -> str:
    """Id of the version whose digest begins with ``wanted``, or of the newest if it is None.

    Raises :class:`StoreNotFoundError` if no version or several match.
    """
    if wanted is None:
        return published.latest
    found = [version.id for version in published.versions if version.digest[7:].startswith(wanted)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(version.id for version in published.versions)
    problem = "matches several versions" if found else "matches no version"
    raise StoreNotFoundError(f"@{wanted} {problem} at {place}; choose one of {known}")
