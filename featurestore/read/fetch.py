"""An object brought from a place into a folder: hashed before it gets its name, resumed where it was cut."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from featurestore.format.documents import StoredObject
from featurestore.places.durable import make_folders, storage_errors, sync_folder
from featurestore.places.folder import Folder
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.places.place import BLOCK_BYTES, Place
from schemas.errors import StoreDamagedError


class ObjectGoneError(StoreDamagedError, FileNotFoundError):
    """A place lacks an object that its ``store.json`` names."""


def fetch(
    place: Place,
    name: str,
    entry: StoredObject,
    target: Path,
    advance: Callable[[int], None] | None = None,
) -> int:
    """Bring ``place``'s object ``name`` to the file ``target``; returns the bytes that were moved.

    ``advance`` is told of bytes as they come, also of those that an earlier call has left. Raises
    :class:`StoreDamagedError` where they are not those of ``entry``, before more than its size is taken, and
    :class:`ObjectGoneError` where there is no such object.
    """
    with storage_errors(target):
        make_folders(target.parent)
        partial = target.with_name(target.name + PARTIAL_SUFFIX)
        with _open_alone(partial) as file:
            if _is_complete(target, entry):  # another call has brought it meanwhile
                partial.unlink(missing_ok=True)
                return 0
            moved, whole = _fill(file, place, name, entry, advance)
            if not whole and moved < entry.bytes:  # what was there was something else: once more, all of it
                file.truncate(0)
                again, whole = _fill(file, place, name, entry, None)
                moved += again
            if not whole:
                partial.unlink(missing_ok=True)
                raise StoreDamagedError(
                    f"{place}/{name} is not what its store.json says; ask who published it, or push it again"
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
    place: Place,
    name: str,
    entry: StoredObject,
    advance: Callable[[int], None] | None,
) -> tuple[int, bool]:
    """Append what is missing; returns the bytes that came, and whether the file is the object now."""
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
        for block in _blocks(place, name, have):
            moved += len(block)
            if have + moved > entry.bytes:
                return moved, False
            digest.update(block)
            file.write(block)
            if advance:
                advance(len(block))
    file.flush()
    return moved, have + moved == entry.bytes and digest.hexdigest() == entry.sha256


def _blocks(place: Place, name: str, start: int) -> Iterator[bytes]:
    try:
        yield from place.blocks(name, start)
    except FileNotFoundError as error:
        raise ObjectGoneError(
            f"{place} has no {name}, which its store.json names; ask who published it, or push it again"
        ) from error


def _open_alone(partial: Path) -> BinaryIO:
    """The partial file, for this call alone: a second one waits, and finds the object finished or goes on."""
    while True:
        file = os.fdopen(
            os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "r+b"
        )
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(file.fileno()), partial.lstat()):
                return file
        except FileNotFoundError:  # the other call has given the file its name
            pass
        file.close()
