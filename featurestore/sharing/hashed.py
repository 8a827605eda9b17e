"""An object in memory, once, and only as the store's document describes it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

from featurestore.format.documents import StoredObject
from featurestore.places.place import Place
from schemas.errors import StoreDamagedError


def read_hashed(
    place: Place, name: str, entry: StoredObject, advance: Callable[[int], None] | None = None
) -> bytes:
    """All bytes of an object, which takes its size of memory once.

    Raises :class:`StoreDamagedError` where they are not those of ``entry``, before more than its size is
    taken, or where there is no such object.
    """
    digest, buffer, count = hashlib.sha256(), io.BytesIO(), 0
    try:
        for block in place.blocks(name):
            count += len(block)
            if count > entry.bytes:
                break
            digest.update(block)
            buffer.write(block)
            if advance:
                advance(len(block))
    except FileNotFoundError as error:
        raise StoreDamagedError(f"{place} has no {name}, which its store.json names; {_NEXT}") from error
    if count != entry.bytes or digest.hexdigest() != entry.sha256:
        raise StoreDamagedError(f"{place}/{name} is not what its store.json says; {_NEXT}")
    return buffer.getvalue()


_NEXT = "repair the store with `ser-features build --check` and its corpora, or get it again"
