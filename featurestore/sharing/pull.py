"""Pull a store, or a part of one, from a path or URL to this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.versions import read_versions, split_version
from featurestore.places.choose import place_at
from featurestore.places.folder import Folder
from featurestore.places.place import FOLDER_THREADS, REMOTE_THREADS
from featurestore.progress import Progress, Silent
from featurestore.read.opening import open_place
from featurestore.sharing.bring import bring
from featurestore.sharing.part import take_part
from featurestore.sharing.selection import PartSelection
from featurestore.sharing.target import target_folder


@dataclass(frozen=True)
class PullReport:
    """What was pulled.

    ``bytes_fetched`` came from the source; ``bytes_kept`` were already in the folder.
    """

    source: str
    store: str
    digest: str
    part_of: str | None
    objects: int
    bytes_fetched: int
    bytes_kept: int
    seconds: float


def pull(
    url: str | Path,
    store: str | Path,
    selection: PartSelection | None = None,
    progress: Progress | None = None,
) -> PullReport:
    """Make the folder ``store`` a copy of the store at ``url``, or of a part of it.

    ``URL@1a2b…`` selects a version. Every object is hashed before it gets its name, and ``store.json`` is
    written last. Objects that are already in the folder with the right hash are not fetched again, so the
    same call resumes after an interruption, repairs a damaged copy, and updates to a newer version.

    Raises :class:`UsageError` if the folder holds anything else or the store has no such part,
    :class:`StorageError` if there is not enough space, :class:`StoreDamagedError`, naming the object, if the
    source is damaged, :class:`StoppedError` after Ctrl-C, and what :meth:`FeatureStore.open` raises.
    """
    progress, started = progress or Silent(), time.monotonic()
    target = target_folder(store)
    place, document = open_place(url)
    known = {document.digest, *_published_digests(url)}
    threads = FOLDER_THREADS if isinstance(place, Folder) else REMOTE_THREADS
    source = str(place)
    place, document = take_part(place, document, selection or PartSelection(), progress)
    brought = bring(place, document, target, known, progress, threads)
    return PullReport(
        source=source,
        store=str(target),
        digest=document.digest,
        part_of=document.part_of,
        objects=len(document.objects),
        bytes_fetched=brought.bytes_moved,
        bytes_kept=brought.bytes_kept,
        seconds=time.monotonic() - started,
    )


def _published_digests(url: str | Path) -> set[str]:
    """Digests of all versions at the place; a pull may replace one of them by another."""
    versions = read_versions(place_at(split_version(str(url))[0]))
    return {version.digest for version in versions.versions} if versions else set()
