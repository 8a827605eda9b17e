"""Unpack a packed store, which may come from an untrusted source."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from featurestore.places.place import FOLDER_THREADS
from featurestore.progress import Progress, Silent
from featurestore.sharing.archive import Archive
from featurestore.sharing.bring import bring
from featurestore.sharing.target import target_folder
from schemas.errors import UsageError


@dataclass(frozen=True)
class UnpackReport:
    """What was unpacked: bytes that were written, and bytes that were already in the folder."""

    file: str
    store: str
    digest: str
    part_of: str | None
    objects: int
    bytes_written: int
    bytes_kept: int
    seconds: float


def unpack(file: str | Path, store: str | Path, progress: Progress | None = None) -> UnpackReport:
    """Unpack ``file`` into the folder ``store``; the file need not be trusted.

    All headers are checked before anything is written: the file must contain ``store.json``, the objects it
    lists with their sizes, and nothing else. Each object is hashed before it gets its name, and
    ``store.json`` is written last. The same call resumes after an interruption.

    Raises :class:`StoreDamagedError` if the file is not a packed store, :class:`UsageError` if the folder
    contains anything else, :class:`StorageError` if there is not enough space, and :class:`StoppedError`
    after Ctrl-C.
    """
    progress, started = progress or Silent(), time.monotonic()
    path, target = Path(file), target_folder(store)
    if not path.is_file():
        raise UsageError(
            f"{path} {'is not a regular file' if path.exists() else 'does not exist'}; "
            f"give a file that `pack` made"
        )
    with Archive(path) as archive:
        document = archive.document
        brought = bring(archive, document, target, {document.digest}, progress, FOLDER_THREADS)
    return UnpackReport(
        file=str(path),
        store=str(target),
        digest=document.digest,
        part_of=document.part_of,
        objects=len(document.objects),
        bytes_written=brought.bytes_moved,
        bytes_kept=brought.bytes_kept,
        seconds=time.monotonic() - started,
    )
