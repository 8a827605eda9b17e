"""Publish a store at a URL as an immutable version."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.documents import document_bytes
from featurestore.format.layout import LATEST, RUN_LIST, RUNS, STORE_JSON, VERSIONS
from featurestore.format.outside import require_apart
from featurestore.format.versions import (
    L,
    Version,
    Versions,
    read_versions_of,
    split_version,
    version_folder,
    version_id,
)
from featurestore.places.choose import place_at
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.names import LOCK, PARTIAL_SUFFIX, TOKEN
from featurestore.places.place import Place
from featurestore.progress import Progress, Silent
from featurestore.read.opening import REPAIR, open_place, read_document_at
from featurestore.sharing.publication import Publication
from featurestore.sharing.publish import publish
from featurestore.sharing.sending import Sending
from schemas.errors import StoppedError, UsageError


@dataclass(frozen=True)
class PushReport:
    """What was published.

    ``bytes_sent`` were sent from this machine; ``bytes_reused`` were copied at the place from earlier
    versions; ``bytes_there`` came with an earlier push of the same version.
    """

    store: str
    url: str
    version: str
    digest: str
    objects: int
    bytes_sent: int
    bytes_reused: int
    bytes_there: int
    versions: int
    seconds: float


def push(store: str | Path, url: str | Path, progress: Progress | None = None) -> PushReport:
    """Publish the store at ``store`` under ``url`` (or in a folder) as the newest version there.

    Objects go to ``versions/<id>/`` first, then the ``store.json`` of that version, and ``latest.json`` last,
    so that nobody ever sees a partial version. Each object is hashed before it is sent. Two kinds of objects
    are not sent: those that one of the newest ten versions has with the same hash (copied by the server, or
    linked in a folder), and those that an interrupted push of this version left. The latter are recognised by
    size in the folder of the version, whose name is the digest of the content, and in a folder also by hash.
    ``verify --full URL`` hashes everything.

    Raises :class:`UsageError` if the place holds something else, :class:`StoreDamagedError`, naming the
    object, if the store is damaged (nothing is published then), :class:`StorageError`, :class:`StoppedError`
    after Ctrl-C, and what :meth:`FeatureStore.open` raises.
    """
    progress, started = progress or Silent(), time.monotonic()
    root = require_unversioned(url)
    source, document = open_place(store)
    published = require_publishable(root, Versions)
    publication = Publication(
        source, document, STORE_JSON, document_bytes(document), read_document_at, REPAIR
    )
    _require_present(source, publication)
    sending = Sending(publication, str(url).rstrip("/"), version_folder(version_id(document.digest)))
    try:
        with storage_errors(root):
            sending.send(published, progress)
            versions = publish(root, Version.of(document), Versions)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; this version is not published at {root} yet: run the same command again to resume"
        ) from None
    return PushReport(
        store=str(source),
        url=str(root),
        version=version_id(document.digest),
        digest=document.digest,
        objects=len(document.objects),
        bytes_sent=sending.sent,
        bytes_reused=sending.reused,
        bytes_there=sending.there,
        versions=len(versions.versions),
        seconds=time.monotonic() - started,
    )


def require_unversioned(url: str | Path) -> Place:
    """The place to push to. Raises :class:`UsageError` for ``URL@1a2b…`` and a folder inside a store."""
    version = split_version(str(url))[1]
    if version is not None and not Path(url).exists():
        raise UsageError(f"published versions cannot be changed; push to the address without @{version}")
    root = place_at(url)
    require_apart(root, "")
    return root


def require_publishable(root: Place, kind: type[L]) -> L | None:
    """The versions at a place to which one more can be added; None for none. Raises :class:`UsageError`."""
    root.delete(())  # raises for a read-only place
    if isinstance(root, Folder) and root.path.exists() and not root.path.is_dir():
        raise UsageError(f"{root} is a file; give a folder, or a URL")
    if root.size(STORE_JSON) is not None:
        raise UsageError(
            f"{root} is itself a store, which published versions would hide; push to another place"
        )
    published = read_versions_of(root, kind)
    if published is None:
        for name in sorted(root.sizes()):
            if not _is_published(name):
                raise UsageError(f"{root} contains other files ({name}, …); push to another place")
    return published


def _is_published(name: str) -> bool:
    """Whether an object belongs to published versions and runs, or to a push that was interrupted."""
    return (
        name.startswith((f"{VERSIONS}/", f"{RUNS}/"))
        or name in {LATEST, RUN_LIST, LOCK, TOKEN}
        or name.endswith(PARTIAL_SUFFIX)
    )


def _require_present(source: Place, publication: Publication) -> None:
    """Check that all objects exist with their sizes, which can be known before anything is sent."""
    if isinstance(source, Folder):
        present = source.sizes()
        for name, entry in publication.listing.objects.items():
            if present.get(name) != entry.bytes:
                what = (
                    f"has {present[name]:,} bytes, expected {entry.bytes:,}"
                    if name in present
                    else "is missing"
                )
                raise publication.damage_error(name, what)
