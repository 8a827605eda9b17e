"""List the versions published at a place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from featurestore.format.layout import STORE_JSON
from featurestore.format.versions import Version, read_versions, split_version
from featurestore.places.choose import place_at


@dataclass(frozen=True)
class PublishedVersions:
    """The versions at a place, from the oldest to the newest push, and the one that opens by default."""

    url: str
    latest: str
    versions: tuple[Version, ...]


def list_versions(url: str | Path) -> PublishedVersions | None:
    """List the versions at a path or URL; None if there are none, for a plain store and for ``URL@1a2b…``.

    Raises :class:`~schemas.errors.StorageError` if the place cannot be read, and
    :class:`~schemas.errors.StoreDamagedError` if its list of versions is damaged.
    """
    if split_version(str(url))[1] is not None:
        return None
    place = place_at(url)
    if place.size(STORE_JSON) is not None:
        return None
    found = read_versions(place)
    return PublishedVersions(str(place), found.latest, found.versions) if found else None
