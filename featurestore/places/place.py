"""What the store asks of the place where its objects lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

BLOCK_BYTES = 4 * 2**20
"""Read from a place at a time where an object may be large."""

READS_AT_ONCE = 16
"""Small objects read in parallel: over a network, each takes a round trip."""


class Place(Protocol):
    """Named objects under one root. Names are relative, with forward slashes.

    An object that is written is there as a whole or not at all, whatever happens, and it is durable when
    the call returns. A place is used by several threads at once, and can be sent to another process.

    Every method raises :class:`~schemas.errors.StorageError` with a sentence where the place refuses;
    reading raises :class:`FileNotFoundError` for an object that is not there.
    """

    def __str__(self) -> str:
        """The place as its user named it."""

    def read(self, name: str, most: int) -> bytes:
        """All bytes of an object. Raises :class:`~schemas.errors.StoreDamagedError` for one of more than
        ``most`` bytes, before more than that is read, and for one that is no regular file.
        """

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of an object from ``start`` on, at most :data:`BLOCK_BYTES` at a time."""

    def write(self, name: str, data: bytes) -> None:
        """Make an object, or replace it by one."""

    def size(self, name: str) -> int | None:
        """Bytes of an object; None where there is none."""

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of every object below ``folder``, or of all."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; one that is not there is no mistake."""

    def copy(self, source: str, target: str) -> bool:
        """Make ``target`` of what ``source`` holds without moving its bytes through this machine.

        False where the place cannot.
        """
