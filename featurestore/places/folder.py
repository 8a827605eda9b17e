"""A store in a folder of a local or shared file system."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featurestore.places.durable import make_folders, storage_errors, sync_folder, write_durably
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.places.partials import sweep_partials
from featurestore.places.place import BLOCK_BYTES
from schemas.errors import SerError, StorageError, StoreDamagedError


class Folder:
    """A :class:`~featurestore.places.place.Place` whose objects are files below a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str, most: int) -> bytes:
        """Read a file of at most ``most`` bytes."""
        with _reading(self.path / name), os.fdopen(self._open(name), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise StoreDamagedError(
                    f"{self.path / name} has {size:,} bytes, but at most {most:,} are possible; "
                    f"do not use this store"
                )
            data = bytearray()
            while len(data) < most and (part := file.read(most - len(data))):
                data += part
            return bytes(data)

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """Read a file block by block, from byte ``start``."""
        with _reading(self.path / name), os.fdopen(self._open(name), "rb", buffering=0) as file:
            file.seek(start)
            while block := file.read(BLOCK_BYTES):
                yield block

    def write(self, name: str, data: bytes) -> None:
        """Write a file durably."""
        with storage_errors(self.path / name):
            write_durably(self.path_of(name), data)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is no regular file of that name."""
        try:
            with _reading(self.path / name):
                found = (self.path / name).lstat()
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of every file below ``folder``."""
        found = {}
        for root, _, files in os.walk(self.path / folder, onerror=_refuse_listing):
            for file in files:
                path = Path(root, file)
                with suppress(FileNotFoundError):  # a partial file that was renamed meanwhile
                    found[path.relative_to(self.path).as_posix()] = path.lstat().st_size
        return found

    def delete(self, names: Iterable[str]) -> None:
        """Delete files durably; missing ones are ignored."""
        with storage_errors(self.path):
            folders = set()
            for name in names:
                path = self.path_of(name)
                with suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
                    folders.add(path.parent)
            for touched in folders:
                sync_folder(touched)

    def sweep(self, name: str) -> None:
        """Delete what killed processes left while they wrote a file."""
        sweep_partials([self.path_of(name)])

    def copy(self, source: str, target: str) -> bool:
        """Make ``target`` a hard link to ``source``, so that the bytes are stored once."""
        path = self.path_of(target)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
        with storage_errors(path):
            make_folders(path.parent)
        try:
            os.link(self.path_of(source), partial, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:  # no hard links on this file system, or across two of them
            return False
        with storage_errors(path):
            try:
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)  # renaming onto a link to the same file is a no-op
            sync_folder(path.parent)
        return True

    def path_of(self, name: str) -> Path:
        """Path of an object. Raises :class:`StoreDamagedError` if a folder on the way is a link.

        The store's own folder and those above it may be links, because they belong to its owner. A link
        inside is untrusted or was made by hand, and files written or deleted through it are not part of the
        store.
        """
        folder = str(self.path)
        for part in name.split("/")[:-1]:
            folder = f"{folder}/{part}"
            if os.path.islink(folder):  # noqa: PTH114 called often, and making a Path is slower
                raise StoreDamagedError(
                    f"{folder} leads out of the store through a link; replace the link by the files, "
                    f"or do not use this store"
                )
        return self.path / name

    def _open(self, name: str) -> int:
        """Open a regular file: never a pipe, which would block, and never the target of a link."""
        path = self.path_of(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if path.is_symlink():
                raise StoreDamagedError(
                    f"{path} is a link to another file, not an object; do not use this store"
                ) from error
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StoreDamagedError(f"{path} is not a regular file; do not use this store")
        return descriptor


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except NotADirectoryError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    except OSError as error:
        if isinstance(error, (FileNotFoundError, SerError)):
            raise
        raise StorageError(
            f"cannot read {path}: {error.strerror or error}; check the permissions and the disk"
        ) from error


def _refuse_listing(error: OSError) -> None:
    """Raise if a folder cannot be listed: it must not pass for an empty one."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise StorageError(
            f"cannot list {error.filename}: {error.strerror or error}; check the permissions and the disk"
        ) from error
