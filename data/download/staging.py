"""The hidden folder in which a download grows: nobody takes it for a corpus; at the end it becomes one.

::

    corpora/.ravdess.download/
        lock           held by the process that downloads
        parts/         files that are coming, with what the server says about their identity
        checked/       files whose checksum is being compared
        archives/      zip files that are whole
        tree/          what becomes the corpus's folder
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
        """Files that are coming."""
        return self.root / "parts"

    @property
    def checked(self) -> Path:
        """Files between their last byte and their place."""
        return self.root / "checked"

    @property
    def tree(self) -> Path:
        """What becomes the corpus's folder."""
        return self.root / "tree"

    def place_of(self, file: RemoteFile) -> Path:
        """Where a file lies once it is whole."""
        return (self.root / "archives" if file.is_archive else self.tree) / file.path

    def part_of(self, file: RemoteFile) -> Path:
        """Where a file comes, under another name for another checksum: no older part is gone on with."""
        name = hashlib.sha256(f"{file.path}\n{file.checksum}".encode()).hexdigest()[:16]
        return self.parts / f"{name}.part"

    def come(self, file: RemoteFile) -> int:
        """Bytes of a file that are there."""
        if self.has(file):
            return file.size
        try:
            return min(file.size, self.part_of(file).stat().st_size)
        except FileNotFoundError:
            return 0

    def has(self, file: RemoteFile) -> bool:
        """Whether the file is whole: it gets its name only after its checksum was right and it was synced."""
        try:
            return self.place_of(file).stat().st_size == file.size
        except FileNotFoundError:
            return False

    def take(self, whole: Path, file: RemoteFile) -> None:
        """Give a file that was checked its name."""
        place = self.place_of(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        whole.replace(place)

    def arrived(self) -> int:
        """Bytes of all that has come, parts included."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    def become(self, folder: Path) -> None:
        """Rename the tree to the corpus's folder, and remove the rest.

        Raises :class:`DownloadError` where something is in the way.
        """
        try:
            self.tree.replace(folder)
        except OSError as error:
            if not folder.exists():
                raise
            raise DownloadError(
                f"'{folder}' is in the way, and holds no recording of the corpus; move it and run the same "
                f"command again"
            ) from error
        descriptor = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        shutil.rmtree(self.root, ignore_errors=True)


@contextmanager
def staging_of(name: str, corpora: Path) -> Iterator[Staging]:
    """The folder for the download of corpus ``name``, held by this process alone.

    Raises :class:`DownloadError` while another process holds it.
    """
    staging = Staging(corpora / f".{name}.download")
    for folder in (staging.parts, staging.checked, staging.tree):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(staging.root / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DownloadError(
            f"another process is downloading {name} into '{corpora}'; wait until it is done"
        ) from error
    try:
        yield staging
    finally:
        lock.release()
