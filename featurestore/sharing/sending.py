"""Transfer of the objects of one version: sent, or reused if the place already has them."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

from featurestore.format.documents import StoredObject
from featurestore.format.versions import AnyVersions, version_folder
from featurestore.places.choose import place_at
from featurestore.places.folder import Folder
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.places.place import FOLDER_THREADS, REMOTE_THREADS, Place
from featurestore.progress import Progress
from featurestore.read.fetch import fetch
from featurestore.sharing.hashed import read_hashed
from featurestore.sharing.moving import Budget, Mover, move_objects
from featurestore.sharing.publication import Publication
from schemas.errors import SerError, StoreDamagedError

_IN_MEMORY = 256 * 2**20
"""Bytes of all objects that are being sent, together."""

_VERSIONS_SEARCHED = 10
"""Newest versions that are searched for objects to reuse; each search reads a document."""


class Sending:
    """The transfer of one version; ``sent``, ``reused``, ``there``: bytes, as in :class:`PushReport`.

    ``url`` is the place of all versions, ``folder`` that of this one below it.
    """

    def __init__(self, publication: Publication, url: str, folder: str) -> None:
        self.sent = self.reused = self.there = 0
        self._publication, self._source = publication, publication.source
        self._objects = publication.listing.objects
        self._url, self._folder = url, folder
        self._root, self._target = place_at(url), place_at(f"{url}/{folder}")
        self._left: list[str] = []
        self._budget = Budget(_IN_MEMORY)
        self._lock = Lock()

    def send(self, published: AnyVersions[Any] | None, progress: Progress) -> None:
        """Complete the version: its objects first, then the document that lists them."""
        objects = self._objects
        threads = FOLDER_THREADS if isinstance(self._root, Folder) else REMOTE_THREADS
        missing = self._missing(progress)
        self.there = sum(e.bytes for e in objects.values()) - sum(objects[name].bytes for name in missing)
        earlier = self._earlier(published, missing)
        with move_objects(progress, "push", sum(objects[name].bytes for name in missing)) as mover:
            mover.each(lambda name: self._bring(name, earlier, mover), missing, threads)
        self._target.delete(self._left)
        if not self._is_finished():
            self._target.write(self._publication.record, self._publication.content)
            self.sent += len(self._publication.content)

    def _missing(self, progress: Progress) -> list[str]:
        objects, present = self._objects, self._target.sizes()
        # Left by a push that was killed. Those of a running push will be renamed before ours ends.
        self._left = [name for name in present if name.endswith(PARTIAL_SUFFIX)]
        there = [name for name, entry in objects.items() if present.get(name) == entry.bytes]
        if not isinstance(self._target, Folder):
            return sorted(objects.keys() - set(there))
        with move_objects(progress, "check", sum(objects[name].bytes for name in there)) as mover:

            def is_sound(name: str) -> bool:
                mover.advance(objects[name].bytes)
                return _matches(self._target, name, objects[name])

            good = mover.each(is_sound, there, FOLDER_THREADS)
        return sorted(objects.keys() - {name for name, sound in zip(there, good, strict=True) if sound})

    def _earlier(self, published: AnyVersions[Any] | None, missing: Iterable[str]) -> dict[StoredObject, str]:
        """Missing content → the object of an earlier version that holds it."""
        wanted = {self._objects[name] for name in missing}
        found: dict[StoredObject, str] = {}
        versions = published.versions if published else ()
        for version in reversed(versions[-_VERSIONS_SEARCHED:]):
            if wanted <= found.keys():
                break
            folder = version_folder(version.id)
            if folder == self._folder:
                continue
            try:
                document = self._publication.read(place_at(f"{self._url}/{folder}"))
            except SerError:  # a damaged version has nothing to reuse
                continue
            for name, entry in document.objects.items():
                if entry in wanted:
                    found.setdefault(entry, f"{folder}/{name}")
        return found

    def _bring(self, name: str, earlier: dict[StoredObject, str], mover: Mover) -> None:
        entry = self._objects[name]
        if self._copy(name, entry, earlier.get(entry)):
            mover.advance(entry.bytes)
            with self._lock:
                self.reused += entry.bytes
            return
        try:
            if isinstance(self._target, Folder):
                sent = fetch(self._source, name, entry, self._target.path / name, mover.advance)
            else:
                with self._budget.hold(entry.bytes):
                    data = read_hashed(self._source, name, entry)
                    self._target.write(name, data)
                    sent = len(data)
                mover.advance(sent)
        except StoreDamagedError as error:
            raise self._publication.damage_error(
                name, f"does not match {self._publication.record}"
            ) from error
        with self._lock:
            self.sent += sent

    def _copy(self, name: str, entry: StoredObject, held_by: str | None) -> bool:
        if held_by is None or (isinstance(self._root, Folder) and not _matches(self._root, held_by, entry)):
            return False
        try:
            return self._root.copy(held_by, f"{self._folder}/{name}")
        except FileNotFoundError:
            return False

    def _is_finished(self) -> bool:
        try:
            return self._publication.read(self._target).digest == self._publication.listing.digest
        except SerError:
            return False


def _matches(place: Place, name: str, entry: StoredObject) -> bool:
    try:
        return StoredObject.at(place, name) == entry
    except (FileNotFoundError, SerError):
        return False
