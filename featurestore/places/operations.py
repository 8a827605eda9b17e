"""Single attempts to write, create, copy, list and delete, for each kind of file system."""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from featurestore.places.filesystems import (
    OBJECT_STORES,
    S3,
    SFTP,
    FileSystem,
    open_file,
    path_of,
    protocol_of,
)
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.places.refusals import may_pass

CREATES_ONCE = S3 | SFTP | {"memory"}
"""Protocols with a request that creates an object only if it does not exist."""

_PART_BYTES = 32 * 2**20
"""Part size of a multipart upload to S3; objects of less than two parts are sent in one request."""


def write_object(filesystem: FileSystem, url: str, path: str, data: bytes) -> None:
    """Create or replace an object, completely or not at all."""
    protocol = protocol_of(url)
    if protocol in S3:
        filesystem.pipe_file(path, data, chunksize=_PART_BYTES)
    elif protocol in OBJECT_STORES:
        filesystem.pipe_file(path, data)
    else:
        partial = _partial(path)
        with _remove_after_errors(filesystem, partial):
            _write_file(filesystem, url, partial, "wb", data)
            filesystem.mv(partial, path)


def create_object(filesystem: FileSystem, url: str, path: str, data: bytes) -> None:
    """Create an object. Raises ``FileExistsError`` if it exists."""
    protocol = protocol_of(url)
    if protocol in SFTP:
        _create_by_sftp(filesystem, url, path, data)
    elif protocol in CREATES_ONCE:
        filesystem.pipe_file(path, data, mode="create")
    else:
        filesystem.invalidate_cache()
        if filesystem.exists(path):
            raise FileExistsError(path)
        write_object(filesystem, url, path, data)


def copy_object(filesystem: FileSystem, url: str, source: str, target: str) -> bool:
    """Copy an object on the server; returns False if the server cannot."""
    protocol = protocol_of(url)
    if protocol in SFTP:
        return _copy_by_shell(filesystem, source, target)
    if protocol not in OBJECT_STORES:
        return False
    filesystem.cp_file(source, target)
    return True


def list_objects(filesystem: FileSystem, url: str, path: str) -> Iterator[tuple[str, int]]:
    """Yield the path and size in bytes of every file below a folder."""
    filesystem.invalidate_cache()
    flat = protocol_of(url) in OBJECT_STORES
    for entry in filesystem.find(path, detail=True).values() if flat else _walk(filesystem, path):
        if entry["type"] == "file" and not entry["name"].endswith("/"):
            yield entry["name"], int(entry["size"])


def delete_from_s3(url: str, names: Sequence[str], filesystem: FileSystem, _: str) -> None:
    """Delete up to 1000 objects in one request. s3fs's own ``rm`` does not report objects that S3 kept."""
    paths = [filesystem.split_path(path_of(filesystem, url, name)) for name in names]
    wanted = {"Objects": [{"Key": key} for _, key, _ in paths], "Quiet": True}
    answer = filesystem.call_s3("delete_objects", Bucket=paths[0][0], Delete=wanted)
    for failed in answer.get("Errors", ()):
        raise PermissionError(failed.get("Message", failed.get("Code", "refused")))


def _write_file(filesystem: FileSystem, url: str, path: str, mode: str, data: bytes) -> None:
    try:
        file = open_file(filesystem, url, path, mode)
    except FileNotFoundError:
        filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
        file = open_file(filesystem, url, path, mode)
    with file:
        file.write(data)
        if flush := getattr(file, "fsync", None):
            with suppress(Exception):  # a protocol extension that servers may lack
                flush()


def _create_by_sftp(filesystem: FileSystem, url: str, path: str, data: bytes) -> None:
    try:
        _write_file(filesystem, url, path, "xb", data)
    except Exception as error:
        if not may_pass(error) and filesystem.exists(path):  # SFTP has no error code for that
            raise FileExistsError(path) from None
        raise


def _copy_by_shell(filesystem: FileSystem, source: str, target: str) -> bool:
    partial = _partial(target)
    filesystem.makedirs(posixpath.dirname(target), exist_ok=True)
    try:
        with _remove_after_errors(filesystem, partial):
            filesystem.cp_file(source, partial)
            filesystem.mv(partial, target)
    except FileNotFoundError:
        raise
    except Exception as error:
        if may_pass(error):
            raise
        return False  # most SFTP-only accounts have no shell
    return True


def _walk(filesystem: FileSystem, path: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of all folders below. fsspec's own walk silently skips what it cannot list."""
    waiting = [path]
    while waiting:
        with suppress(FileNotFoundError):
            for entry in filesystem.ls(waiting.pop(), detail=True):
                if entry["type"] == "directory":
                    waiting.append(entry["name"])
                yield entry


def sweep_partials(filesystem: FileSystem, url: str, path: str) -> None:
    """Delete what killed processes left while they wrote ``path``; nobody else may be writing it now."""
    if protocol_of(url) in OBJECT_STORES:
        return  # objects appear only once they are complete
    filesystem.invalidate_cache()
    with suppress(FileNotFoundError):
        for entry in filesystem.ls(posixpath.dirname(path), detail=True):
            name = posixpath.basename(entry["name"])
            if name.startswith(f"{posixpath.basename(path)}.") and name.endswith(PARTIAL_SUFFIX):
                filesystem.rm_file(entry["name"])


@contextmanager
def _remove_after_errors(filesystem: FileSystem, path: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(Exception):
            filesystem.rm_file(path)
        raise


def _partial(path: str) -> str:
    return f"{path}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}"
