"""The hidden folder of a download in progress. It is never mistaken for a corpus, and becomes one at the end.

::

    corpora/.ravdess.download/
        lock           held by the process that downloads
        parts/         files being received, with the ETag or date from the server
        checked/       files whose checksum is being verified
        archives/      complete zip files
        tree/          becomes the folder of the corpus
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from data.download.errors import DownloadError
from data.download.source import RemoteFile


@dataclass(frozen=True)
class Staging:
    """Folder of the download of one corpus."""

    root: Path

    @property
    def parts(self) -> Path:
        """Folder of files being received."""
        return self.root / "parts"

    @property
    def checked(self) -> Path:
        """Folder of complete files whose checksum is being verified."""
        return self.root / "checked"

    @property
    def tree(self) -> Path:
        """Folder that becomes the folder of the corpus."""
        return self.root / "tree"

    def path_of(self, file: RemoteFile) -> Path:
        """Path of a file once it is complete."""
        return (self.root / "archives" if file.is_archive else self.tree) / file.path

    def part_of(self, file: RemoteFile) -> Path:
        """Path of the part of a file; depends on its checksum, so that no older part is continued."""
        name = hashlib.sha256(f"{file.path}\n{file.checksum}".encode()).hexdigest()[:16]
        return self.parts / f"{name}.part"

    def bytes_of(self, file: RemoteFile) -> int:
        """Bytes of a file received so far."""
        if self.has(file):
            return file.size
        try:
            return min(file.size, self.part_of(file).stat().st_size)
        except FileNotFoundError:
            return 0

    def has(self, file: RemoteFile) -> bool:
        """Whether the file is complete: it gets its name only after it was verified and synced."""
        try:
            return self.path_of(file).stat().st_size == file.size
        except FileNotFoundError:
            return False

    def take(self, whole: Path, file: RemoteFile) -> None:
        """Give a verified file its name."""
        path = self.path_of(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.replace(path)

    def bytes_on_disk(self) -> int:
        """Bytes of all files, including parts."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def move_to(self, folder: Path) -> None:
        """Rename the tree to ``folder``, the folder of the corpus, and remove the rest.

        Raises :class:`DownloadError` if ``folder`` exists.
        """
        try:
            self.tree.replace(folder)
        except OSError as error:
            if not folder.exists():
                raise
            raise DownloadError(
                f"'{folder}' exists, but contains no recordings of the corpus; move it and run the same "
                f"command again"
            ) from error
        descriptor = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        shutil.rmtree(self.root, ignore_errors=True)


@contextmanager
def open_staging(name: str, corpora: Path) -> Iterator[Staging]:
    """Open the folder for the download of corpus ``name`` and lock it for this process.

    Raises :class:`DownloadError` if another process has locked it.
    """
    staging = Staging(corpora / f".{name}.download")
    for folder in (staging.parts, staging.checked, staging.tree):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(staging.root / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DownloadError(
            f"another process is downloading {name} into '{corpora}'; wait until it has finished"
        ) from error
    try:
        yield staging
    finally:
        lock.release()


def write_synced(path: Path, data: bytes) -> None:
    """Write a file durably, creating its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
