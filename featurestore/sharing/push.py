"""Publish a store at a URL as an immutable version."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from featurestore.documents import StoredObject, StoreDocument, write_document
from featurestore.durable import storage_errors
from featurestore.fetch import fetch
from featurestore.layout import LOCK, PARTIAL_SUFFIX, STORE_JSON, TOKEN, VERSIONS
from featurestore.opening import REPAIR, open_place, read_document_at
from featurestore.places.choose import place_at
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.progress import Progress, Silent
from featurestore.sharing.hashed import read_hashed
from featurestore.sharing.moving import Budget, Moving, moving
from featurestore.sharing.publish import publish
from featurestore.versions import Versions, read_versions, split_version, version_folder, version_id
from schemas.errors import SerError, StoppedError, StoreDamagedError, UsageError

_TO_FOLDER, _TO_ELSEWHERE = 4, 16
"""Objects sent side by side."""

_IN_MEMORY = 256 * 2**20
"""Bytes of objects that are being sent, together."""

_VERSIONS_SEARCHED = 10
"""Of the newest versions, for objects that need not be sent: each costs its ``store.json``."""


@dataclass(frozen=True)
class PushReport:
    """What was published.

    ``bytes_sent`` went through this machine's network; ``bytes_reused`` were copied there from earlier
    versions; ``bytes_there`` had come with an earlier push of the same version.
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
    """Publish the store at ``store`` under ``url`` (or in a folder) and make it the newest version there.

    Objects go to ``versions/<id>/`` first, that version's ``store.json`` next and ``latest.json`` last: nobody
    ever sees a half of it. Each object is hashed before it is sent. Not sent are objects that one of the newest ten
    versions has with the same hash (copied by the server, or linked in a folder) and those that an interrupted push
    of this version has left: recognised by size in the version's folder, whose name is the content's digest,
    and by hash, too, where the place is a folder. ``verify --full URL`` hashes all of it.

    Raises :class:`UsageError` for a place that holds something else, :class:`StoreDamagedError`, naming the
    object, where the store is not what it says (nothing is published then), :class:`StorageError`,
    :class:`StoppedError` for Ctrl-C, and as :meth:`FeatureStore.open`.
    """
    progress, started = progress or Silent(), time.monotonic()
    name, version = split_version(str(url))
    if version is not None and not Path(str(url)).exists():
        raise UsageError(f"{url} names a version, which stays as it is; push to {name}")
    source, document = open_place(store)
    root = place_at(url)
    published = _require_publishable(root)
    _require_present(source, document)
    folder = version_folder(version_id(document.digest))
    sending = _Sending(source, document, root, place_at(f"{str(url).rstrip('/')}/{folder}"), folder)
    try:
        with storage_errors(root):
            sending.send(published, progress)
            versions = publish(root, document)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; nothing of it is published at {root} yet: run the same command again to go on from there"
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


def _require_publishable(root: Place) -> Versions | None:
    """The versions of a place where one more can be made; None for none. Raises :class:`UsageError`."""
    root.delete(())  # says so of places that can only be read
    if isinstance(root, Folder) and root.path.exists() and not root.path.is_dir():
        raise UsageError(f"{root} is a file; give a folder, or a URL")
    if root.size(STORE_JSON) is not None:
        raise UsageError(
            f"{root} holds a store that was built in place, which versions would hide; push to another place"
        )
    published = read_versions(root)
    if published is None:
        for name in root.sizes():
            if not (
                name.startswith(f"{VERSIONS}/") or name in {LOCK, TOKEN} or name.endswith(PARTIAL_SUFFIX)
            ):
                raise UsageError(f"{root} holds other things ({name}, …); push to another place")
    return published


def _require_present(source: Place, document: StoreDocument) -> None:
    """Whether all objects are there with their sizes: what can be known before anything is sent."""
    if isinstance(source, Folder):
        present = source.sizes()
        for name, entry in document.objects.items():
            if present.get(name) != entry.bytes:
                what = (
                    f"has {present[name]:,} bytes, recorded {entry.bytes:,}"
                    if name in present
                    else "is missing"
                )
                raise _damaged(source, name, what)


class _Sending:
    """One version on its way. ``sent``, ``reused``, ``there`` : bytes, as in :class:`PushReport`."""

    def __init__(
        self, source: Place, document: StoreDocument, root: Place, target: Place, folder: str
    ) -> None:
        self.sent = self.reused = self.there = 0
        self._source, self._document = source, document
        self._root, self._target, self._folder = root, target, folder
        self._budget = Budget(_IN_MEMORY)
        self._lock = Lock()

    def send(self, published: Versions | None, progress: Progress) -> None:
        """Make the version whole: its objects, then its ``store.json``."""
        objects = self._document.objects
        at_once = _TO_FOLDER if isinstance(self._root, Folder) else _TO_ELSEWHERE
        missing = self._missing(progress)
        self.there = sum(e.bytes for e in objects.values()) - sum(objects[name].bytes for name in missing)
        earlier = self._earlier(published, missing)
        with moving(progress, "push", sum(objects[name].bytes for name in missing)) as move:
            move.each(lambda name: self._bring(name, earlier, move), missing, at_once)
        if not self._is_finished():
            self.sent += write_document(self._target, STORE_JSON, self._document).bytes

    def _missing(self, progress: Progress) -> list[str]:
        objects, present = self._document.objects, self._target.sizes()
        there = [name for name, entry in objects.items() if present.get(name) == entry.bytes]
        if not isinstance(self._target, Folder):
            return sorted(objects.keys() - set(there))
        with moving(progress, "check", sum(objects[name].bytes for name in there)) as move:

            def sound(name: str) -> bool:
                move.advance(objects[name].bytes)
                return _is(self._target, name, objects[name])

            good = move.each(sound, there, _TO_FOLDER)
        return sorted(objects.keys() - {name for name, is_sound in zip(there, good, strict=True) if is_sound})

    def _earlier(self, published: Versions | None, missing: Iterable[str]) -> dict[StoredObject, str]:
        """Content that is missing → an object under the root that holds it."""
        wanted = {self._document.objects[name] for name in missing}
        found: dict[StoredObject, str] = {}
        versions = published.versions if published else ()
        for version in reversed(versions[-_VERSIONS_SEARCHED:]):
            if wanted <= found.keys():
                break
            folder = version_folder(version.id)
            if folder == self._folder:
                continue
            try:
                document = read_document_at(_below(self._root, folder))
            except SerError:  # a version that is damaged gives nothing
                continue
            for name, entry in document.objects.items():
                if entry in wanted:
                    found.setdefault(entry, f"{folder}/{name}")
        return found

    def _bring(self, name: str, earlier: dict[StoredObject, str], move: Moving) -> None:
        entry = self._document.objects[name]
        if self._copy(name, entry, earlier.get(entry)):
            move.advance(entry.bytes)
            with self._lock:
                self.reused += entry.bytes
            return
        try:
            if isinstance(self._target, Folder):
                sent = fetch(self._source, name, entry, self._target.path / name, move.advance)
            else:
                with self._budget.holding(entry.bytes):
                    data = read_hashed(self._source, name, entry)
                    self._target.write(name, data)
                    sent = len(data)
                move.advance(sent)
        except StoreDamagedError as error:
            raise _damaged(self._source, name, "is not what store.json says") from error
        with self._lock:
            self.sent += sent

    def _copy(self, name: str, entry: StoredObject, held_by: str | None) -> bool:
        if held_by is None or (isinstance(self._root, Folder) and not _is(self._root, held_by, entry)):
            return False
        try:
            return self._root.copy(held_by, f"{self._folder}/{name}")
        except FileNotFoundError:
            return False

    def _is_finished(self) -> bool:
        try:
            return read_document_at(self._target).digest == self._document.digest
        except SerError:
            return False


def _below(root: Place, folder: str) -> Place:
    if isinstance(root, Folder):
        return Folder(root.path / folder)
    url: str = root.url  # type: ignore[attr-defined] # a Remote
    return place_at(f"{url}/{folder}")


def _is(place: Place, name: str, entry: StoredObject) -> bool:
    try:
        return StoredObject.at(place, name) == entry
    except (FileNotFoundError, SerError):
        return False


def _damaged(source: Place, name: str, what: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"{name} in {source} {what}, so nothing was published; {REPAIR}, then push again"
    )
