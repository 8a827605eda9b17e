"""The list of versions at a place (``latest.json``), changed by one process at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from featurestore.format.documents import StoreDocument, write_document
from featurestore.format.layout import LATEST
from featurestore.format.versions import Version, Versions, read_versions
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.places.place import Place
from featurestore.places.remote import Remote
from schemas.errors import StoreBusyError

_PATIENCE_S = 120.0
"""Seconds to wait for others: enough for several pushes, and for a lease whose holder was killed."""


def publish(place: Place, document: StoreDocument) -> Versions:
    """Make a complete version the newest one; returns all versions.

    ``latest.json`` is read and written under the lock of the place, so that no other push is lost. The lock
    is the system's own in a folder, and a lease at a place that can create an object only if it does not
    exist (S3, SFTP). On the Hugging Face Hub, which cannot, one of two pushes in the same second may be
    missing from the list; pushing it again sends nothing and adds it. Raises :class:`StoreBusyError` if
    others keep the lock.
    """
    version = Version.of(document)
    before = read_versions(place)
    if before is not None and before == _with(before, version):
        return before
    with _hold_lock(place):
        if isinstance(place, (Folder, Remote)):
            place.sweep(LATEST)
        after = _with(read_versions(place), version)
        write_document(place, LATEST, after)
    return after


def _with(before: Versions | None, version: Version) -> Versions:
    versions = before.versions if before else ()
    if version.id not in {entry.id for entry in versions}:
        versions = (*versions, version)
    return Versions(latest=version.id, versions=versions)


@contextmanager
def _hold_lock(place: Place) -> Iterator[None]:
    """Hold the lock of the place, waiting for others first."""
    started = time.monotonic()
    while True:
        lock = exclusive(place)
        try:
            lock.__enter__()
        except StoreBusyError:
            if time.monotonic() - started > _PATIENCE_S:
                raise StoreBusyError(
                    f"other processes keep writing to {place}; run the same command again later "
                    f"(nothing will be sent twice)"
                ) from None
            time.sleep(0.1)
        else:
            break
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
