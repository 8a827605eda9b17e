"""What one published version consists of: a store or a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from featurestore.format.documents import StoredObject
from featurestore.places.place import Place
from schemas.errors import StoreDamagedError


class Listing(Protocol):
    """A document that lists the objects of a version with their hashes."""

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the whole content."""

    @property
    def objects(self) -> Mapping[str, StoredObject]:
        """Name → size and hash."""


@dataclass(frozen=True)
class Publication:
    """A version to publish: where its objects are, and the document that lists them."""

    source: Place
    listing: Listing
    record: str
    """Name of the document, which is written last."""
    content: bytes
    """The document as it is written."""
    read: Callable[[Place], Listing]
    """Reads the document of a version at a place. Raises :class:`SerError` if it is absent or damaged."""
    repair: str
    """What to do if an object is damaged."""

    def damage_error(self, name: str, what: str) -> StoreDamagedError:
        """The error for a damaged object of the version to be published."""
        return StoreDamagedError(
            f"{name} in {self.source} {what}, so nothing was published; {self.repair}, then push again"
        )
