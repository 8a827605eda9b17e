"""Fetching of objects from a place into a folder: hashed before renaming, resumable."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from featurestore.format.documents import StoredObject
from featurestore.format.layout import STORE_JSON
from featurestore.places.durable import make_folders, storage_errors, sync_folder
from featurestore.places.folder import Folder
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.places.place import BLOCK_BYTES, Place
from schemas.errors import StoreDamagedError


class ObjectGoneError(StoreDamagedError, FileNotFoundError):
    """A place lacks an object that its ``store.json`` lists."""


def fetch(
    place: Place,
    name: str,
    entry: StoredObject,
    target: Path,
    advance: Callable[[int], None] | None = None,
    record: str = STORE_JSON,
) -> int:
    """Fetch the object ``name`` of ``place`` into the file ``target``; returns the bytes transferred.

    ``advance`` is called with the bytes as they arrive, including those left by an earlier call. ``record``
    names the document that lists the object, for messages. Raises
    :class:`StoreDamagedError` if the bytes do not match ``entry``, before more than its size is read, and
    :class:`ObjectGoneError` if there is no such object.
    """
    with storage_errors(target):
        make_folders(target.parent)
        partial = target.with_name(target.name + PARTIAL_SUFFIX)
        with _open_alone(partial) as file:
            if _is_complete(target, entry):  # another call has fetched it meanwhile
                partial.unlink(missing_ok=True)
                return 0
            moved, whole = _fill(file, _blocks(place, name, record), entry, advance)
            if not whole and moved < entry.bytes:  # the partial file was of something else: start over
                file.truncate(0)
                again, whole = _fill(file, _blocks(place, name, record), entry, None)
                moved += again
            if not whole:
                partial.unlink(missing_ok=True)
                raise StoreDamagedError(
                    f"{place}/{name} does not match its {record}; ask its publisher, or push it again"
                )
            os.fsync(file.fileno())
            partial.replace(target)
        sync_folder(target.parent)
    return moved


def _is_complete(target: Path, entry: StoredObject) -> bool:
    place = Folder(target.parent)
    return place.size(target.name) == entry.bytes and StoredObject.at(place, target.name) == entry


def _fill(
    file: BinaryIO,
    blocks_from: Callable[[int], Iterator[bytes]],
    entry: StoredObject,
    advance: Callable[[int], None] | None,
) -> tuple[int, bool]:
    """Append the missing bytes; returns how many came, and whether the file now matches the object."""
    digest = hashlib.sha256()
    file.seek(0)
    have = 0
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        have += len(block)
    if have > entry.bytes:
        return 0, False
    if advance and have:
        advance(have)
    moved = 0
    if have < entry.bytes:
        for block in blocks_from(have):
            moved += len(block)
            if have + moved > entry.bytes:
                return moved, False
            digest.update(block)
            file.write(block)
            if advance:
                advance(len(block))
    file.flush()
    return moved, have + moved == entry.bytes and digest.hexdigest() == entry.sha256


def _blocks(place: Place, name: str, record: str) -> Callable[[int], Iterator[bytes]]:
    """Function from a byte to the blocks of the object that begin there."""

    def blocks_from(start: int) -> Iterator[bytes]:
        try:
            yield from place.blocks(name, start)
        except FileNotFoundError as error:
            raise ObjectGoneError(
                f"{place} has no {name}, which its {record} lists; ask its publisher, or push it again"
            ) from error

    return blocks_from


def _open_alone(partial: Path) -> BinaryIO:
    """Open the partial file under a lock. A second call waits, then finds the object finished or resumes."""
    while True:
        file = os.fdopen(
            os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "r+b"
        )
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(file.fileno()), partial.lstat()):
                return file
        except FileNotFoundError:  # the other call has renamed the finished file
            pass
        file.close()
