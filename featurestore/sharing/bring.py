"""A store from any place into a folder: hashed, resumed, and valid only once all of it is there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from featurestore.format.documents import StoredObject, StoreDocument, write_document
from featurestore.format.layout import STORE_JSON
from featurestore.format.sweep import sweep, withdraw
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.places.place import Place
from featurestore.progress import Progress
from featurestore.read.fetch import fetch
from featurestore.sharing.moving import move_objects
from featurestore.sharing.target import mark, marked_corpora, require_space, require_target
from schemas.errors import StoppedError, StoreDamagedError

_HASHED_AT_ONCE = 4


@dataclass(frozen=True)
class BringResult:
    """Bytes of objects that were moved, and of those that stood as they should."""

    bytes_moved: int
    bytes_kept: int


def bring(
    place: Place,
    document: StoreDocument,
    target: Folder,
    known: Collection[str],
    progress: Progress,
    at_once: int,
) -> BringResult:
    """Make ``target`` the store that ``document`` describes, ``at_once`` objects side by side from ``place``.

    Objects that stand in the folder with the right hash stay; all others are fetched, which repairs a damaged
    store, too. Another version (``known`` : its digest) is withdrawn first and written over. Raises
    :class:`UsageError`, :class:`StorageError`, :class:`StoreDamagedError`, :class:`StoreBusyError`, and
    :class:`StoppedError` for Ctrl-C; whatever happens, what has come is kept for the next call.
    """
    require_target(target, document, known)  # before anything is made
    try:
        with storage_errors(target), exclusive(target):
            return _bring(place, document, target, known, progress, at_once)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what has come to {target} is kept: run the same command again to go on from there"
        ) from None


def _bring(
    place: Place,
    document: StoreDocument,
    target: Folder,
    known: Collection[str],
    progress: Progress,
    at_once: int,
) -> BringResult:
    existing = require_target(target, document, known)  # again: now nobody else changes it
    missing = _missing(target, document, progress)
    require_space(target, document, missing)
    whole = existing is not None and existing.digest == document.digest
    corpora = {*document.datasets, *marked_corpora(target), *(existing.datasets if existing else ())}
    if not whole:
        mark(target, existing)
        withdraw(target)
    with move_objects(progress, "fetch", sum(document.objects[name].bytes for name in missing)) as mover:

        def fetch_one(name: str) -> int:
            return fetch(place, name, document.objects[name], target.path / name, mover.advance)

        moved = sum(mover.each(fetch_one, missing, at_once))
    sweep(target, corpora, document.objects)
    if not whole:
        write_document(target, STORE_JSON, document)
    total = sum(entry.bytes for entry in document.objects.values())
    return BringResult(moved, total - sum(document.objects[name].bytes for name in missing))


def _missing(target: Folder, document: StoreDocument, progress: Progress) -> list[str]:
    """The objects that are not there as they should be."""
    objects, present = document.objects, target.sizes()
    there = [name for name, entry in objects.items() if present.get(name) == entry.bytes]
    with move_objects(progress, "check", sum(objects[name].bytes for name in there)) as mover:

        def is_sound(name: str) -> bool:
            try:
                found = StoredObject.at(target, name)
            except (FileNotFoundError, StoreDamagedError):
                return False
            mover.advance(found.bytes)
            return found == objects[name]

        good = {
            name
            for name, sound in zip(there, mover.each(is_sound, there, _HASHED_AT_ONCE), strict=True)
            if sound
        }
    return [name for name in objects if name not in good]
