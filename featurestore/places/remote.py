"""A store at a URL: S3, the web, SFTP, the Hugging Face Hub, or whatever else fsspec knows."""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from featurestore.layout import PARTIAL_SUFFIX
from featurestore.places.filesystems import (
    HTTP,
    OBJECT_STORES,
    S3,
    SFTP,
    FileSystem,
    filesystem_of,
    forget,
    open_file,
    path_of,
    protocol_of,
)
from featurestore.places.place import BLOCK_BYTES
from featurestore.places.refusals import absent, masked, may_pass, refusal
from featurestore.places.retry import Patience, persist
from featurestore.places.streams import http_size, open_stream
from schemas.errors import StorageError, StoreDamagedError

_Result = TypeVar("_Result")
_PATIENCE = Patience()
_PART_BYTES = 32 * 2**20
"""Of a multipart upload to S3; objects of less than two parts are sent in one request."""
_DELETED_AT_ONCE = 1000
"""The most that S3 takes in a request."""


@dataclass(frozen=True, repr=False)
class Remote:
    """Objects below a URL; see :class:`~featurestore.places.place.Place`.

    Requests are repeated as :class:`Patience` says after 5xx and 429, resets, timeouts and bodies that
    were cut off. An object is written by one request where the place is an object store; elsewhere
    under a name of its own which ends in ``.partial``, and moved (SFTP: flushed to the disk before,
    where the server can; a server that cannot rename onto a file copies instead, which is not atomic).

    Settings come from where fsspec and the libraries look for them: for S3 ``AWS_ACCESS_KEY_ID``,
    ``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE``, ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL`` (MinIO, R2,
    Ceph…) and ``AWS_REQUEST_CHECKSUM_CALCULATION=when_required`` for servers that know no checksums;
    for SFTP ``~/.ssh``; for the Hugging Face Hub ``HF_TOKEN``; for all ``FSSPEC_S3_…``-like variables
    and the files of ``~/.config/fsspec``. On the Hub every object that is written is a commit.
    """

    url: str
    """May hold a password; print the place itself instead, which leaves it out."""
    patience: Patience = _PATIENCE

    def __str__(self) -> str:
        return masked(self.url)

    def __repr__(self) -> str:
        return f"Remote({masked(self.url)!r})"

    def read(self, name: str, most: int) -> bytes:
        """See :meth:`Place.read`."""

        def whole(filesystem: FileSystem, path: str) -> bytes:
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

        return self._persist("read", name, whole)

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """See :meth:`Place.blocks`. After a fault the reading goes on at the byte that it had reached."""
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
        """See :meth:`Place.write`."""
        protocol = protocol_of(self.url)
        self._refuse_web("write")
        if protocol in S3:
            self._persist("write", name, lambda fs, path: fs.pipe_file(path, data, chunksize=_PART_BYTES))
        elif protocol in OBJECT_STORES:
            self._persist("write", name, lambda fs, path: fs.pipe_file(path, data))
        else:
            self._persist("write", name, lambda fs, path: _write_and_move(fs, self.url, path, data))

    def create(self, name: str, data: bytes) -> bool:
        """Make an object unless there is one of its name already; False where there is.

        One of several who try at once succeeds, where the place can promise that: S3, SFTP, memory. Raises
        as :meth:`write` does. After a fault in between, the one that is there may be the caller's.
        """
        self._refuse_web("write")

        def exclusive(filesystem: FileSystem, path: str) -> bool:
            with suppress(FileExistsError):
                _create(filesystem, self.url, path, data)
                return True
            return False

        return self._persist("write", name, exclusive)

    def size(self, name: str) -> int | None:
        """See :meth:`Place.size`."""

        def asked(filesystem: FileSystem, path: str) -> int | None:
            if protocol_of(self.url) in HTTP:
                return http_size(filesystem, path)
            filesystem.invalidate_cache()
            found = filesystem.info(path)
            return int(found["size"]) if found["type"] == "file" else None

        try:
            return self._persist("read", name, asked)
        except FileNotFoundError:
            return None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """See :meth:`Place.sizes`."""
        if protocol_of(self.url) in HTTP:
            raise StorageError(
                f"cannot list {self}: web servers have no listing; name the objects that you want"
            )
        flat = protocol_of(self.url) in OBJECT_STORES

        def listed(filesystem: FileSystem, path: str) -> dict[str, int]:
            filesystem.invalidate_cache()
            root = path_of(filesystem, self.url, "") + "/"
            found = filesystem.find(path, detail=True).values() if flat else _walk(filesystem, path)
            return {
                entry["name"].removeprefix(root): int(entry["size"])
                for entry in found
                if entry["type"] == "file" and entry["name"].startswith(root) and entry["name"][-1] != "/"
            }

        try:
            return self._persist("list", folder, listed)
        except FileNotFoundError:
            return {}

    def delete(self, names: Iterable[str]) -> None:
        """See :meth:`Place.delete`."""
        self._refuse_web("write")
        wanted = list(names)
        if protocol_of(self.url) in S3:
            for begin in range(0, len(wanted), _DELETED_AT_ONCE):
                some = wanted[begin : begin + _DELETED_AT_ONCE]
                self._persist("delete in", "", partial(self._delete_from_s3, some))
            return
        for name in wanted:
            with suppress(FileNotFoundError):
                self._persist("delete", name, lambda fs, path: fs.rm_file(path))

    def copy(self, source: str, target: str) -> bool:
        """See :meth:`Place.copy`: in object stores, and by SFTP where the server lets run ``cp``."""
        protocol = protocol_of(self.url)
        if protocol in SFTP:
            return self._persist("copy to", target, lambda fs, path: self._copy_by_shell(fs, source, path))
        if protocol not in OBJECT_STORES:
            return False
        self._persist("copy to", target, lambda fs, path: fs.cp_file(path_of(fs, self.url, source), path))
        return True

    def patient(self, patience: Patience) -> Remote:
        """The same place with other patience."""
        return replace(self, patience=patience)

    def _persist(self, verb: str, name: str, action: Callable[[FileSystem, str], _Result]) -> _Result:
        """What ``action`` returns of the file system and the object's path, tried again as is fit."""

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
        if absent(error):
            return FileNotFoundError(f"there is no {name} in {self}")
        return refusal(error, verb, self.url, name)

    def _too_large(self, name: str, most: int) -> StoreDamagedError:
        return StoreDamagedError(
            f"{self}/{name} has more than the {most:,} bytes that can be right; do not use this store"
        )

    def _refuse_web(self, verb: str) -> None:
        if protocol_of(self.url) in HTTP:
            raise StorageError(f"cannot {verb} {self}: web addresses can only be read; choose another place")

    def _delete_from_s3(self, names: list[str], filesystem: FileSystem, _: str) -> None:
        paths = [filesystem.split_path(path_of(filesystem, self.url, name)) for name in names]
        objects = [{"Key": key} for _, key, _ in paths]
        answer = filesystem.call_s3(
            "delete_objects", Bucket=paths[0][0], Delete={"Objects": objects, "Quiet": True}
        )
        for failed in answer.get("Errors", ()):
            raise PermissionError(failed.get("Message", failed.get("Code", "refused")))

    def _copy_by_shell(self, filesystem: FileSystem, source: str, path: str) -> bool:
        partial = _partial(path)
        filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
        try:
            filesystem.cp_file(path_of(filesystem, self.url, source), partial)
            filesystem.mv(partial, path)
        except FileNotFoundError:
            raise
        except Exception as error:
            if may_pass(error):
                raise
            return False
        return True


def _partial(path: str) -> str:
    return f"{path}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}"


def _write_and_move(filesystem: FileSystem, url: str, path: str, data: bytes) -> None:
    partial = _partial(path)
    try:
        _write_file(filesystem, url, partial, "wb", data)
        filesystem.mv(partial, path)
    except BaseException:
        with suppress(Exception):
            filesystem.rm_file(partial)
        raise


def _write_file(filesystem: FileSystem, url: str, path: str, mode: str, data: bytes) -> None:
    try:
        file = open_file(filesystem, url, path, mode)
    except FileNotFoundError:
        filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
        file = open_file(filesystem, url, path, mode)
    with file:
        file.write(data)
        if flush := getattr(file, "fsync", None):
            with suppress(Exception):  # an extension of the protocol that a server may lack
                flush()


def _create(filesystem: FileSystem, url: str, path: str, data: bytes) -> None:
    protocol = protocol_of(url)
    if protocol in S3 or protocol == "memory":
        filesystem.pipe_file(path, data, mode="create")
    elif protocol in SFTP:
        try:
            _write_file(filesystem, url, path, "xb", data)
        except Exception as error:
            if not may_pass(error) and filesystem.exists(path):  # SFTP has no code of its own for that
                raise FileExistsError(path) from None
            raise
    else:
        filesystem.invalidate_cache()
        if filesystem.exists(path):
            raise FileExistsError(path)
        if protocol in OBJECT_STORES:
            filesystem.pipe_file(path, data)
        else:
            _write_and_move(filesystem, url, path, data)


def _walk(filesystem: FileSystem, path: str) -> Iterator[dict[str, Any]]:
    """Entries of all folders below: fsspec's own walk leaves out in silence what it could not list."""
    waiting = [path]
    while waiting:
        with suppress(FileNotFoundError):
            for entry in filesystem.ls(waiting.pop(), detail=True):
                if entry["type"] == "directory":
                    waiting.append(entry["name"])
                yield entry
