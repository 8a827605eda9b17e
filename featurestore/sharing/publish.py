"""Which versions a place has, and which is the newest: ``latest.json``, changed by one at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from featurestore.format.documents import StoreDocument, write_document
from featurestore.format.layout import LATEST
from featurestore.format.versions import Version, Versions, read_versions
from featurestore.places.lease import exclusive
from featurestore.places.place import Place
from schemas.errors import StoreBusyError

_PATIENCE_S = 120.0
"""Of waiting for others: several pushes, and a lease whose holder was killed."""


def publish(place: Place, document: StoreDocument) -> Versions:
    """Make a version that is whole the newest one; returns all versions.

    The file is read and written under the place's lock, so that no other push is lost: by the system's lock
    in a folder, by a lease where an object can be made only once (S3, SFTP). Where it cannot (the Hugging
    Face Hub), of two pushes in the same second one may be missing from the list; pushing it again, which
    sends nothing, puts it in. Raises :class:`StoreBusyError`.
    """
    version = Version.of(document)
    before = read_versions(place)
    if before is not None and before == _with(before, version):
        return before
    with _hold_lock(place):
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
    """Hold the place's lock, waiting for others."""
    started = time.monotonic()
    while True:
        lock = exclusive(place)
        try:
            lock.__enter__()
        except StoreBusyError:
            if time.monotonic() - started > _PATIENCE_S:
                raise StoreBusyError(
                    f"others are writing to {place} all the time; run the same command again later, "
                    f"nothing will be sent twice"
                ) from None
            time.sleep(0.1)
        else:
            break
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
