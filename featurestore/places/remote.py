"""A store at a URL: S3, the web, SFTP, the Hugging Face Hub, or anything else that fsspec supports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from featurestore.places.filesystems import HTTP, S3, FileSystem, filesystem_of, forget, path_of, protocol_of
from featurestore.places.operations import (
    CREATES_ONCE,
    copy_object,
    create_object,
    delete_from_s3,
    list_objects,
    sweep_partials,
    write_object,
)
from featurestore.places.place import BLOCK_BYTES
from featurestore.places.refusals import is_absent, mask, may_pass, refusal
from featurestore.places.retry import Patience, persist
from featurestore.places.streams import http_size, open_stream
from schemas.errors import StorageError, StoreDamagedError

_Result = TypeVar("_Result")
_PATIENCE = Patience()
_MOST_DELETIONS = 1000
"""The most objects that S3 deletes in one request."""


@dataclass(frozen=True, repr=False)
class Remote:
    """A :class:`~featurestore.places.place.Place` whose objects lie below a URL.

    Requests are repeated, as :class:`Patience` says, after status 5xx or 429, connection resets, timeouts and
    truncated bodies. In an object store, one request writes an object. Elsewhere it is written to a file of
    its own that ends in ``.partial`` and is then renamed. By SFTP it is flushed to disk first if the server
    supports that; a server that cannot rename onto an existing file copies instead, which is not atomic.

    Settings come from where fsspec and its libraries look for them. For S3: ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE``, ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL`` (MinIO, R2,
    Ceph…), and ``AWS_REQUEST_CHECKSUM_CALCULATION=when_required`` for servers without checksums. For SFTP:
    ``~/.ssh``. For the Hugging Face Hub: ``HF_TOKEN``; every object written there is a commit. For all:
    variables such as ``FSSPEC_S3_…`` and the files in ``~/.config/fsspec``.
    """

    url: str
    """May contain a password; print the place itself instead, which hides it."""
    patience: Patience = _PATIENCE

    def __str__(self) -> str:
        return mask(self.url)

    def __repr__(self) -> str:
        return f"Remote({mask(self.url)!r})"

    def read(self, name: str, most: int) -> bytes:
        """Read an object of at most ``most`` bytes."""

        def read_whole(filesystem: FileSystem, path: str) -> bytes:
            parts: list[bytes] = []
            got = 0
            with closing(open_stream(filesystem, self.url, path, 0)) as stream:
                if (stream.announced or 0) > most:
                    raise self._too_large(name, most)
                while part := stream.read(min(BLOCK_BYTES, most + 1 - got)):
                    parts.append(part)
                    got += len(part)
                    if got > most:
                        raise self._too_large(name, most)
            return b"".join(parts)

        return self._try("read", name, read_whole)

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """Read an object block by block, from byte ``start``; resumes after a fault."""
        failures = 0
        while True:
            filesystem = None
            try:
                filesystem = filesystem_of(self.url)
                path = path_of(filesystem, self.url, name)
                with closing(open_stream(filesystem, self.url, path, start)) as stream:
                    while block := stream.read(BLOCK_BYTES):
                        failures = 0
                        start += len(block)
                        yield block
            except Exception as error:  # noqa: BLE001 (each library has its own)
                failures += 1
                if failures >= self.patience.attempts or not may_pass(error):
                    raise self._error(error, "read", name) from None
                forget(filesystem)
            else:
                return
            self.patience.wait(failures)

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object."""
        self._refuse_web()
        self._try("write", name, lambda fs, path: write_object(fs, self.url, path, data))

    @property
    def promises_creation(self) -> bool:
        """Whether exactly one of several simultaneous calls to :meth:`create` an object succeeds."""
        return protocol_of(self.url) in CREATES_ONCE

    def create(self, name: str, data: bytes) -> bool:
        """Create an object unless it exists; returns False if it does.

        Raises what :meth:`write` raises. After a fault in between, the existing object may be the caller's
        own.
        """
        self._refuse_web()

        def create_new(filesystem: FileSystem, path: str) -> bool:
            with suppress(FileExistsError):
                create_object(filesystem, self.url, path, data)
                return True
            return False

        return self._try("write", name, create_new)

    def size(self, name: str) -> int | None:
        """Size of an object in bytes; None if it does not exist."""

        def measure(filesystem: FileSystem, path: str) -> int | None:
            if protocol_of(self.url) in HTTP:
                return http_size(filesystem, path)
            filesystem.invalidate_cache()
            found = filesystem.info(path)
            return int(found["size"]) if found["type"] == "file" else None

        try:
            return self._try("read", name, measure)
        except FileNotFoundError:
            return None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of every object below ``folder``. Raises :class:`StorageError` for a web address."""
        if protocol_of(self.url) in HTTP:
            raise StorageError(
                f"cannot list {self}: web servers cannot list files; name the objects that you want"
            )

        def list_below(filesystem: FileSystem, path: str) -> dict[str, int]:
            root = path_of(filesystem, self.url, "").rstrip("/") + "/"
            found = list_objects(filesystem, self.url, path)
            return {name.removeprefix(root): size for name, size in found if name.startswith(root)}

        try:
            return self._try("list", folder, list_below)
        except FileNotFoundError:
            return {}

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        self._refuse_web()
        wanted = list(names)
        if protocol_of(self.url) in S3:
            for begin in range(0, len(wanted), _MOST_DELETIONS):
                some = wanted[begin : begin + _MOST_DELETIONS]
                self._try("delete in", "", partial(delete_from_s3, self.url, some))
            return
        for name in wanted:
            with suppress(FileNotFoundError):
                self._try("delete", name, lambda fs, path: fs.rm_file(path))

    def sweep(self, name: str) -> None:
        """Delete what killed processes left while they wrote an object that nobody writes now."""
        self._refuse_web()
        self._try("list", name, lambda fs, path: sweep_partials(fs, self.url, path))

    def copy(self, source: str, target: str) -> bool:
        """Copy an object on the server: in object stores, and by SFTP if the server allows ``cp``."""
        return self._try(
            "copy to",
            target,
            lambda fs, path: copy_object(fs, self.url, path_of(fs, self.url, source), path),
        )

    def with_patience(self, patience: Patience) -> Remote:
        """The same place with another patience."""
        return replace(self, patience=patience)

    def _try(self, verb: str, name: str, action: Callable[[FileSystem, str], _Result]) -> _Result:
        """Call ``action`` with the file system and the object's path, and retry if a retry may help."""

        def once() -> _Result:
            filesystem = filesystem_of(self.url)
            try:
                return action(filesystem, path_of(filesystem, self.url, name))
            except Exception as error:
                if may_pass(error):
                    forget(filesystem)
                raise

        try:
            return persist(once, self.patience, may_pass)
        except Exception as error:  # noqa: BLE001 (each library has its own)
            raise self._error(error, verb, name) from None

    def _error(self, error: Exception, verb: str, name: str) -> Exception:
        if is_absent(error):
            return FileNotFoundError(f"there is no {name} in {self}")
        return refusal(error, verb, self.url, name)

    def _too_large(self, name: str, most: int) -> StoreDamagedError:
        return StoreDamagedError(
            f"{self}/{name} has more than {most:,} bytes, the most that are possible; do not use this store"
        )

    def _refuse_web(self) -> None:
        if protocol_of(self.url) in HTTP:
            raise StorageError(f"cannot write {self}: web addresses are read-only; choose another place")
