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
from featurestore.places.place import BLOCK_BYTES
from schemas.errors import SerError, StorageError, StoreDamagedError


class Folder:
    """Objects as files; see :class:`~featurestore.places.place.Place`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str, most: int) -> bytes:
        """See :meth:`Place.read`."""
        with _reading(self.path / name), os.fdopen(self._open(name), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise StoreDamagedError(
                    f"{self.path / name} has {size:,} bytes, at most {most:,} can be right; "
                    f"do not use this store"
                )
            data = bytearray()
            while len(data) < most and (part := file.read(most - len(data))):
                data += part
            return bytes(data)

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """See :meth:`Place.blocks`."""
        with _reading(self.path / name), os.fdopen(self._open(name), "rb", buffering=0) as file:
            file.seek(start)
            while block := file.read(BLOCK_BYTES):
                yield block

    def write(self, name: str, data: bytes) -> None:
        """See :meth:`Place.write`."""
        with storage_errors(self.path / name):
            write_durably(self._within(name), data)

    def size(self, name: str) -> int | None:
        """See :meth:`Place.size`."""
        try:
            with _reading(self.path / name):
                found = (self.path / name).lstat()
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """See :meth:`Place.sizes`."""
        found = {}
        for root, _, files in os.walk(self.path / folder, onerror=_refuse_listing):
            for file in files:
                path = Path(root, file)
                with suppress(FileNotFoundError):  # a partial file that got its name meanwhile
                    found[path.relative_to(self.path).as_posix()] = path.lstat().st_size
        return found

    def delete(self, names: Iterable[str]) -> None:
        """See :meth:`Place.delete`."""
        with storage_errors(self.path):
            folders = set()
            for name in names:
                path = self._within(name)
                with suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
                    folders.add(path.parent)
            for touched in folders:
                sync_folder(touched)

    def copy(self, source: str, target: str) -> bool:
        """See :meth:`Place.copy`: a hard link, so that the bytes are stored once."""
        path = self._within(target)
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
        with storage_errors(path):
            make_folders(path.parent)
        try:
            os.link(self._within(source), partial, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links, or another one in between
            return False
        with storage_errors(path):
            try:
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)  # renaming onto a link to the same file does nothing
            sync_folder(path.parent)
        return True

    def _within(self, name: str) -> Path:
        """Path of an object. Raises :class:`StoreDamagedError` for a folder that is a link to elsewhere.

        The store's own folder may be a link, and those above it: they are its owner's. A link inside is a
        stranger's, or was made by hand; what is written or removed through it is no part of the store.
        """
        folder = str(self.path)
        for part in name.split("/")[:-1]:
            folder = f"{folder}/{part}"
            if os.path.islink(folder):  # noqa: PTH114 making a Path takes longer, and this is asked often
                raise StoreDamagedError(
                    f"{folder} leads out of the store through a link; put the files themselves there, or do "
                    f"not use this store"
                )
        return self.path / name

    def _open(self, name: str) -> int:
        """A descriptor of a regular file: of no pipe, on which one would wait, nor of what a link names."""
        path = self._within(name)
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
            raise StoreDamagedError(f"{path} is no regular file; do not use this store")
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
    """A folder that cannot be listed must not pass for an empty one."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise StorageError(
            f"cannot list {error.filename}: {error.strerror or error}; check the permissions and the disk"
        ) from error
