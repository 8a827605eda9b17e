"""The objects of a store as verified files, fetched from elsewhere if needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from featurestore.format.documents import StoredObject, StoreDocument, UnitRecord, parse_document
from featurestore.format.layout import is_shard, unit_record_of
from featurestore.format.shard_frames import check_shard
from featurestore.format.versions import version_id
from featurestore.places.folder import Folder
from featurestore.places.place import FOLDER_THREADS, Place
from featurestore.read.cache_folder import cache_folder
from featurestore.read.fetch import fetch
from featurestore.read.opening import REPAIR, read_document_at
from schemas.errors import SerError, StoreChangedError, StoreDamagedError

_FETCH_THREADS = 8
_MISMATCH = "does not match store.json"

_Identity = tuple[int, int, int]


class Objects:
    """The objects of one store, each hashed when first used, so that readers get exactly what was written.

    ``folder``: the folder of the files. It is the store itself, or the cache folder of its digest, into which
    objects are fetched on demand. Thread-safe.
    """

    def __init__(self, place: Place, document: StoreDocument) -> None:
        self._place = place
        self._document = document
        self._elsewhere = not isinstance(place, Folder)
        self._verified: dict[str, _Identity] = {}
        self._lock = Lock()
        if isinstance(place, Folder):
            self.folder = place.path
        else:
            self.folder = cache_folder() / "stores" / version_id(document.digest)

    def read(self, name: str) -> bytes:
        """Read all bytes of an object. Raises :class:`StoreDamagedError` or :class:`StoreChangedError`."""
        entry = self._document.objects[name]
        if self._elsewhere:
            self.ensure([name])
        try:
            data = Folder(self.folder).read(name, entry.bytes)
        except FileNotFoundError as error:
            raise self._damage_error(name, "is missing") from error
        except StoreDamagedError as error:
            raise self._damage_error(name, _MISMATCH) from error
        if StoredObject.of(data) != entry:
            raise self._damage_error(name, _MISMATCH)
        return data

    def ensure(self, names: Collection[str]) -> None:
        """Make sure that the files of these objects exist and hold what was written.

        Raises :class:`StoreDamagedError`, naming the object and its clips, or :class:`StoreChangedError` if
        the store was rebuilt after it was opened.
        """
        unknown = [name for name in names if self._identity(name) != self._verified.get(name, ())]
        if not unknown:
            return
        if len(unknown) == 1:
            self._check(unknown[0])
            return
        with ThreadPoolExecutor(_FETCH_THREADS if self._elsewhere else FOLDER_THREADS) as pool:
            for _ in pool.map(self._check, unknown):
                pass

    def hash_all(self, names: Collection[str], advance: Callable[[int], None]) -> None:
        """Hash the stored bytes of these objects. Those from elsewhere are not kept, unless they were before.

        ``advance`` is called with the bytes of each object. Raises what :meth:`ensure` raises.
        """
        check = self._check_elsewhere if self._elsewhere else self._check
        with ThreadPoolExecutor(_FETCH_THREADS if self._elsewhere else FOLDER_THREADS) as pool:
            for name, _ in zip(names, pool.map(check, names), strict=True):
                advance(self._document.objects[name].bytes)

    def accept(self, names: Collection[str]) -> None:
        """Accept files that the caller has already hashed.

        Raises :class:`StoreDamagedError` if a shard is a decompression bomb.
        """
        for name in filter(is_shard, names):
            check_shard(self.folder / name, name, self._document.spec)
        identities = {name: self._identity(name) for name in names}
        with self._lock:
            self._verified.update({name: found for name, found in identities.items() if found is not None})

    def require_unchanged(self, names: Collection[str]) -> None:
        """Make sure that the files are still the ones that were hashed. Raises :class:`StoreChangedError`."""
        for name in names:
            if self._identity(name) != self._verified.get(name):
                self.ensure([name])  # raises, unless another process has fetched the same object again

    def _check(self, name: str) -> None:
        entry = self._document.objects[name]
        identity = self._identity(name)
        if self._elsewhere and (identity is None or not self._holds(name, entry)):
            try:
                fetch(self._place, name, entry, self.folder / name)
            except (FileNotFoundError, StoreDamagedError) as error:
                missing = isinstance(error, FileNotFoundError)
                raise self._damage_error(
                    name, "is missing" if missing else f"is damaged ({error})"
                ) from error
            identity = self._identity(name)
        elif not self._elsewhere:
            if identity is None:
                raise self._damage_error(name, "is missing")
            if not self._holds(name, entry):
                raise self._damage_error(name, _MISMATCH)
        if is_shard(name):
            check_shard(self.folder / name, name, self._document.spec)
        if identity is not None:
            with self._lock:
                self._verified[name] = identity

    def _check_elsewhere(self, name: str) -> None:
        entry = self._document.objects[name]
        if self._identity(name) is not None and self._holds(name, entry):
            return
        digest, count = hashlib.sha256(), 0
        try:
            for block in self._place.blocks(name):
                digest.update(block)
                count += len(block)
                if count > entry.bytes:
                    break
        except FileNotFoundError as error:
            raise self._damage_error(name, "is missing") from error
        if (count, digest.hexdigest()) != (entry.bytes, entry.sha256):
            raise self._damage_error(name, _MISMATCH)

    def _holds(self, name: str, entry: StoredObject) -> bool:
        try:
            return (
                Folder(self.folder).size(name) == entry.bytes
                and StoredObject.at(Folder(self.folder), name) == entry
            )
        except FileNotFoundError:
            return False

    def _identity(self, name: str) -> _Identity | None:
        try:
            status = (self.folder / name).lstat()
        except OSError:  # also for a link that leads to itself
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _damage_error(self, name: str, what: str) -> SerError:
        """The error for an object that does not match: it is damaged, or the store was rebuilt."""
        try:
            fresh = read_document_at(self._place)
        except SerError:
            fresh = None
        if fresh is None or fresh.objects.get(name) != self._document.objects[name]:
            return StoreChangedError(
                f"{self._place} was rebuilt after it was opened; open it again"
                if fresh is not None
                else f"{self._place} is being rebuilt; open it again when the build is finished"
            )
        return StoreDamagedError(f"{name} in {self._place} {what}{self._clips(name)}; {REPAIR}")

    def _clips(self, name: str) -> str:
        """Text that names the clips of a shard, from the record of its unit; empty if unknown."""
        if not is_shard(name):
            return ""
        record = unit_record_of(name)
        try:
            clips = parse_document(self.read(record), record, UnitRecord).clips
        except SerError:
            return ""
        return f" (clips {clips[0].clip_id} to {clips[-1].clip_id})" if clips else ""
