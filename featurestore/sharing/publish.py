"""The lists at a place (``latest.json``, ``runs.json``), each changed by one process at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from featurestore.format.documents import write_document
from featurestore.format.layout import LATEST
from featurestore.format.versions import AnyVersions, V, read_versions_of
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.places.place import Place
from featurestore.places.remote import Remote
from schemas.errors import StoreBusyError
from schemas.model import Model

_List = TypeVar("_List", bound=Model)

_PATIENCE_S = 120.0
"""Seconds to wait for others: enough for several pushes, and for a lease whose holder was killed."""


def publish(place: Place, version: V, kind: type[AnyVersions[V]]) -> AnyVersions[V]:
    """Make a complete version the newest one; returns all versions. Raises as :func:`change_list` does."""
    return change_list(
        place,
        LATEST,
        lambda: read_versions_of(place, kind),
        lambda before: kind.extend(before, version),
    )


def change_list(
    place: Place, name: str, read: Callable[[], _List | None], change: Callable[[_List | None], _List]
) -> _List:
    """Write what ``change`` makes of the list ``name`` at a place, None if there is none; returns the result.

    The list is read and written under the lock of the place, so that no other push is lost. The lock is the
    system's own in a folder, and a lease at a place that can create an object only if it does not exist (S3,
    SFTP). On the Hugging Face Hub, which cannot, one of two pushes in the same second may be missing from the
    list; pushing it again sends nothing and adds it. Raises :class:`StoreBusyError` if others keep the lock.
    """
    before = read()
    if before is not None and before == change(before):
        return before
    with _hold_lock(place):
        if isinstance(place, (Folder, Remote)):
            place.sweep(name)
        after = change(read())
        write_document(place, name, after)
    return after


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
