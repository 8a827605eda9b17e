"""A packed store from somebody else, made a store again."""

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
    """What was unpacked: bytes that were written, and that stood in the folder as they should."""

    file: str
    store: str
    digest: str
    part_of: str | None
    objects: int
    bytes_written: int
    bytes_kept: int
    seconds: float


def unpack(file: str | Path, store: str | Path, progress: Progress | None = None) -> UnpackReport:
    """Make the folder ``store`` the store that ``file`` holds, whoever made it.

    All headers are checked before anything is written: the file holds ``store.json``, the objects that it
    names with their sizes, and nothing else. Each object is hashed before it gets its name, ``store.json`` is
    written last. The same call goes on after an interruption.

    Raises :class:`StoreDamagedError` for anything else than a packed store, :class:`UsageError` for a
    folder that holds something else, :class:`StorageError` where there is no room, :class:`StoppedError`
    for Ctrl-C.
    """
    progress, started = progress or Silent(), time.monotonic()
    path, target = Path(file), target_folder(store)
    if not path.is_file():
        raise UsageError(
            f"{path} is {'no regular' if path.exists() else 'no'} file; give one that `pack` made"
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
