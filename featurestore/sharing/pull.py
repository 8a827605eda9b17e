"""Bring a store, or a part of one, from a path or URL to this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.versions import read_versions, split_version
from featurestore.places.choose import place_at
from featurestore.places.folder import Folder
from featurestore.progress import Progress, Silent
from featurestore.read.opening import open_place
from featurestore.sharing.bring import bring
from featurestore.sharing.part import take_part
from featurestore.sharing.selection import PartSelection
from featurestore.sharing.target import target_folder

_FROM_FOLDER, _FROM_ELSEWHERE = 4, 16
"""Objects fetched side by side."""


@dataclass(frozen=True)
class PullReport:
    """What was pulled.

    ``bytes_fetched`` came from the source; ``bytes_kept`` stood in the folder as they should.
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
    """Make the folder ``store`` a copy of the store at ``url`` (``URL@1a2b…``: of that version) or of a part.

    Every byte is hashed before it gets its name, ``store.json`` is written last. What stands in the folder
    with the right hash is not fetched again: the same call goes on after an interruption, repairs a damaged
    copy, and follows a newer version of the same place.

    Raises :class:`UsageError` for a folder that holds anything else and for parts that the store has not,
    :class:`StorageError` where there is no room, :class:`StoreDamagedError`, naming the object, where the
    source is not what it says, :class:`StoppedError` for Ctrl-C, and as :meth:`FeatureStore.open`.
    """
    progress, started = progress or Silent(), time.monotonic()
    target = target_folder(store)
    place, document = open_place(url)
    known = {document.digest, *_published_digests(url)}
    at_once = _FROM_FOLDER if isinstance(place, Folder) else _FROM_ELSEWHERE
    source = str(place)
    place, document = take_part(place, document, selection or PartSelection(), progress)
    brought = bring(place, document, target, known, progress, at_once)
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
    """Digests of all versions of the place, which a pull may replace by one another."""
    versions = read_versions(place_at(split_version(str(url))[0]))
    return {version.digest for version in versions.versions} if versions else set()
