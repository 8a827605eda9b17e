"""Transfer of a store from any place into a folder: verified, resumable, and valid only once complete."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from featurestore.format.documents import StoredObject, StoreDocument, write_document
from featurestore.format.layout import STORE_JSON
from featurestore.format.sweep import sweep, withdraw
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.places.place import FOLDER_THREADS, Place
from featurestore.progress import Progress
from featurestore.read.fetch import fetch
from featurestore.sharing.moving import move_objects
from featurestore.sharing.target import mark_unfinished, marked_corpora, require_space, require_target
from schemas.errors import StoppedError, StoreDamagedError


@dataclass(frozen=True)
class BringResult:
    """Bytes of the objects that were transferred, and of those that were already correct."""

    bytes_moved: int
    bytes_kept: int


def bring(
    place: Place,
    document: StoreDocument,
    target: Folder,
    known: Collection[str],
    progress: Progress,
    threads: int,
) -> BringResult:
    """Make ``target`` the store that ``document`` describes, with ``threads`` transfers in parallel.

    Objects in the folder with the right hash are kept. All others are fetched, which also repairs a damaged
    store. Another version of the store (its digest is in ``known``) is withdrawn first and overwritten.

    Raises :class:`UsageError`, :class:`StorageError`, :class:`StoreDamagedError`, :class:`StoreBusyError`,
    and :class:`StoppedError` after Ctrl-C. Whatever happens, completed objects are kept for the next call.
    """
    require_target(target, document, known)  # before anything is created
    try:
        with storage_errors(target), exclusive(target):
            return _bring(place, document, target, known, progress, threads)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what was transferred to {target} so far is kept: run the same command again to resume"
        ) from None


def _bring(
    place: Place,
    document: StoreDocument,
    target: Folder,
    known: Collection[str],
    progress: Progress,
    threads: int,
) -> BringResult:
    existing = require_target(target, document, known)  # again: from now on nobody else changes it
    missing = missing_objects(target, document.objects, progress)
    require_space(target, document, missing)
    whole = existing is not None and existing.digest == document.digest
    corpora = {*document.datasets, *marked_corpora(target), *(existing.datasets if existing else ())}
    if not whole:
        mark_unfinished(target, existing)
        withdraw(target)
    moved = fetch_objects(
        place, target, {name: document.objects[name] for name in missing}, progress, threads
    )
    sweep(target, corpora, document.objects)
    if not whole:
        write_document(target, STORE_JSON, document)
    total = sum(entry.bytes for entry in document.objects.values())
    return BringResult(moved, total - sum(document.objects[name].bytes for name in missing))


def fetch_objects(
    place: Place,
    target: Folder,
    objects: Mapping[str, StoredObject],
    progress: Progress,
    threads: int,
    record: str = STORE_JSON,
) -> int:
    """Fetch objects into a folder with ``threads`` transfers in parallel; returns the bytes transferred.

    ``record`` names the document that lists them, for messages. Raises what
    :func:`featurestore.read.fetch.fetch` raises; completed objects are kept for the next call.
    """
    with move_objects(progress, "fetch", sum(entry.bytes for entry in objects.values())) as mover:

        def fetch_one(name: str) -> int:
            return fetch(place, name, objects[name], target.path / name, mover.advance, record)

        return sum(mover.each(fetch_one, list(objects), threads))


def missing_objects(target: Folder, objects: Mapping[str, StoredObject], progress: Progress) -> Sequence[str]:
    """Names of the objects that are missing or wrong in the folder."""
    present = target.sizes()
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
            for name, sound in zip(there, mover.each(is_sound, there, FOLDER_THREADS), strict=True)
            if sound
        }
    return [name for name in objects if name not in good]
