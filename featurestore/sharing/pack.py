"""Pack a store, or a part of one, into a single file for mail or a USB stick."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.documents import StoredObject, StoreDocument, document_bytes
from featurestore.format.layout import STORE_JSON
from featurestore.format.outside import require_outside
from featurestore.places.durable import make_folders, storage_errors, sync_folder
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.places.place import Place
from featurestore.progress import Advance, Progress, Silent
from featurestore.read.opening import open_place
from featurestore.sharing.archive import MOST_MEMBER, end, write_padded
from featurestore.sharing.part import take_part
from featurestore.sharing.selection import PartSelection
from featurestore.sharing.target import require_free
from schemas.errors import StorageError, StoreDamagedError, UsageError


@dataclass(frozen=True)
class PackReport:
    """What was packed; ``bytes`` is the size of the file."""

    store: str
    file: str
    digest: str
    part_of: str | None
    objects: int
    bytes: int
    seconds: float


def pack(
    store: str | Path,
    file: str | Path,
    selection: PartSelection | None = None,
    progress: Progress | None = None,
) -> PackReport:
    """Write the store at a path or URL, or a part of it, as a tar: ``store.json``, then objects by name.

    Equal stores give equal bytes, without times or owners. Every object is hashed on the way, and the file
    gets its name once it is complete and on disk. The tar is not compressed, because the objects already are.

    Raises :class:`UsageError` if ``file`` exists or is inside a store, :class:`StoreDamagedError`, naming the
    object, if the store is damaged, :class:`StorageError` if there is not enough space, and what
    :meth:`FeatureStore.open` raises.
    """
    progress, started = progress or Silent(), time.monotonic()
    path = Path(file)
    require_outside(path, "")
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} already exists; remove it, or give another name")
    origin, document = open_place(store)
    place, document = take_part(origin, document, selection or PartSelection(), progress)
    too_large = [name for name, entry in document.objects.items() if entry.bytes > MOST_MEMBER]
    if too_large:
        raise StorageError(
            f"{too_large[0]} is larger than the 8 GiB that a tar member can have; push the store instead"
        )
    total = sum(entry.bytes for entry in document.objects.values())
    require_free(path, total)
    with storage_errors(path):
        make_folders(path.parent)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
        try:
            with progress.task("pack", total, "bytes") as advance:
                size = _write(partial, place, document, advance)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    seconds = time.monotonic() - started
    return PackReport(
        str(origin), str(path), document.digest, document.part_of, len(document.objects), size, seconds
    )


def _write(partial: Path, place: Place, document: StoreDocument, advance: Advance) -> int:
    data = document_bytes(document)
    with partial.open("xb") as file:
        size = write_padded(file, STORE_JSON, len(data), [data])
        for name, entry in sorted(document.objects.items()):
            size += write_padded(file, name, entry.bytes, _hash_blocks(place, name, entry, advance))
        size += file.write(end(size))
        file.flush()
        os.fsync(file.fileno())
    return size


def _hash_blocks(place: Place, name: str, entry: StoredObject, advance: Advance) -> Iterator[bytes]:
    """Yield the blocks of an object; raises at the end if they do not match ``entry``."""
    digest, left = hashlib.sha256(), entry.bytes
    try:
        for block in place.blocks(name):
            digest.update(block)
            left -= len(block)
            if left < 0:
                break
            yield block
            advance(len(block))
    except FileNotFoundError:
        left = -1
    if left or digest.hexdigest() != entry.sha256:
        raise StoreDamagedError(
            f"{name} in {place} does not match store.json, so nothing was packed; "
            f"run `ser-features build --check` with its corpora to repair it"
        )
