"""The interface of a place, which holds the objects of a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

BLOCK_BYTES = 4 * 2**20
"""Bytes read at a time from an object that may be large."""

FOLDER_THREADS, REMOTE_THREADS = 4, 16
"""Transfers or hashes in parallel, in a folder and at a remote place, where each takes a round trip."""


class Place(Protocol):
    """Named objects below one root. Names are relative, with forward slashes.

    A written object is complete or absent, whatever happens, and durable when the call returns. A place is
    thread-safe and can be sent to another process.

    Every method raises :class:`~schemas.errors.StorageError` if the place refuses; reading raises
    :class:`FileNotFoundError` if the object does not exist.
    """

    def __str__(self) -> str:
        """The place as the user named it, without secrets."""

    def read(self, name: str, most: int) -> bytes:
        """Read all bytes of an object.

        Raises :class:`~schemas.errors.StoreDamagedError` if it has more than ``most`` bytes, before more than
        that is read, or if it is not a regular file.
        """

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """Read an object from byte ``start``, in blocks of at most :data:`BLOCK_BYTES`."""

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object."""

    def size(self, name: str) -> int | None:
        """Size of an object in bytes; None if it does not exist."""

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of every object below ``folder``; of all objects by default."""

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""

    def copy(self, source: str, target: str) -> bool:
        """Copy ``source`` to ``target`` without moving the bytes through this machine.

        Returns False if the place cannot.
        """
