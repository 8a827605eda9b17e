"""Reading of a whole object into memory, verified against the document of the store."""

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
    """Read all bytes of an object, holding them in memory only once.

    Raises :class:`StoreDamagedError` if they do not match ``entry``, before more than its size is read, or if
    there is no such object.
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
        raise StoreDamagedError(f"{place} has no {name}, which its store.json lists; {_NEXT}") from error
    if count != entry.bytes or digest.hexdigest() != entry.sha256:
        raise StoreDamagedError(f"{place}/{name} does not match its store.json; {_NEXT}")
    return buffer.getvalue()


_NEXT = "repair the store with `ser-features build --check` and its corpora, or fetch it again"
