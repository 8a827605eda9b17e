"""Streams of a remote object's bytes, a bounded number at a time, whatever the server announces."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Protocol

from featurestore.places.filesystems import (
    CONNECT_S,
    HTTP,
    OBJECT_STORES,
    READ_S,
    S3,
    FileSystem,
    open_file,
    protocol_of,
)
from featurestore.places.place import BLOCK_BYTES
from schemas.errors import StoreDamagedError


class CutOffError(ConnectionError):
    """A response ended before the length that the server announced."""


class ObjectStream(Protocol):
    """The bytes of an object from some position on."""

    announced: int | None
    """Number of bytes that the server announces; None if it announces none."""

    def read(self, most: int) -> bytes:
        """Read the next ``most`` bytes, fewer only before the end, none at the end.

        Raises :class:`CutOffError` if the stream ends too early.
        """

    def close(self) -> None:
        """Return the connection to its pool, or close it."""


def open_stream(filesystem: FileSystem, url: str, path: str, start: int) -> ObjectStream:
    """Start reading ``path`` at byte ``start``, with a range request if the server supports ranges."""
    protocol = protocol_of(url)
    if protocol in HTTP:
        return _http(filesystem, path, start)
    if protocol in S3:
        return _s3(filesystem, path, start)
    return _FileStream(filesystem, url, path, start)


def http_size(filesystem: FileSystem, path: str) -> int | None:
    """Size in bytes of the file at a web address; None if there is none.

    Raises ``OSError`` if the server does not report a size.
    """
    from fsspec.asyn import sync

    response = sync(filesystem.loop, _request, filesystem, path, "HEAD", {})
    if response is not None and response.status in (405, 501):
        response = sync(filesystem.loop, _request, filesystem, path, "GET", {})
    if response is None:
        return None
    filesystem.loop.call_soon_threadsafe(response.close)
    length = response.headers.get("Content-Length")
    if length is None or not length.isdigit():
        raise OSError("the server does not report its size")
    return int(length)


class _ResponseStream:
    """The body of a response, read on fsspec's event loop."""

    def __init__(self, filesystem: FileSystem, reader: Any, closing: Any, announced: int | None) -> None:
        self.announced = announced
        self._loop = filesystem.loop
        self._reader = reader
        self._closing = closing
        self._left = announced
        self._broken: Exception | None = None

    def read(self, most: int) -> bytes:
        from fsspec.asyn import sync

        if self._broken is not None:
            raise self._broken
        data, self._broken = sync(self._loop, _read_up_to, self._reader, most)
        if self._left is not None:
            self._left -= len(data)
            if self._left > 0 and len(data) < most and self._broken is None:
                self._broken = CutOffError(f"{self._left:,} bytes are missing at the end")
        if not data and self._broken is not None:
            raise self._broken
        return bytes(data)

    def skip(self, count: int) -> None:
        """Read and discard ``count`` bytes, for a server that does not support ranges."""
        while count and (data := self.read(min(count, BLOCK_BYTES))):
            count -= len(data)
        self.announced = self._left

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.close)


class _FileStream:
    """A file on any other file system, read through its ``open``."""

    def __init__(self, filesystem: FileSystem, url: str, path: str, start: int) -> None:
        found = filesystem.info(path)
        if found["type"] != "file":
            if protocol_of(url) in OBJECT_STORES:
                raise FileNotFoundError(path)
            raise StoreDamagedError(f"{path} is not a regular file; do not use this store")
        size = found.get("size")
        self.announced = None if size is None else max(size - start, 0)
        self._left = self.announced
        self._file = open_file(filesystem, url, path, "rb")
        if start:
            self._file.seek(start)

    def read(self, most: int) -> bytes:
        if self._left == 0:
            return b""
        data: bytes = self._file.read(most)
        if self._left is not None:
            self._left = max(self._left - len(data), 0)
            if not data:
                raise CutOffError(f"{self._left:,} bytes are missing at the end")
        return data

    def close(self) -> None:
        with suppress(Exception):  # the session may be lost
            self._file.close()


class _EmptyStream:
    """The stream beyond the end of an object."""

    announced: int | None = 0

    def read(self, most: int) -> bytes:  # noqa: ARG002
        return b""

    def close(self) -> None:
        pass


def _http(filesystem: FileSystem, path: str, start: int) -> ObjectStream:
    from fsspec.asyn import sync

    wanted = {"Range": f"bytes={start}-"} if start else {}
    response = sync(filesystem.loop, _request, filesystem, path, "GET", wanted)
    if response is None:
        raise FileNotFoundError(path)
    if response.status == 416:
        filesystem.loop.call_soon_threadsafe(response.close)
        return _EmptyStream()
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    body = _ResponseStream(
        filesystem, response.content, response, None if encoded else response.content_length
    )
    return _from(body, start, response.status, response.headers.get("Content-Range", ""))


async def _request(filesystem: FileSystem, path: str, method: str, headers: dict[str, str]) -> Any:
    """A response whose body is still to be read, or None if there is nothing at that address.

    No encoding is accepted: an encoded body could be a decompression bomb, and ranges would count encoded
    bytes.
    """
    import aiohttp

    session = await filesystem.set_session()
    options = {
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S),
        "allow_redirects": True,
        **filesystem.kwargs,
    }
    options["headers"] = {**options.get("headers", {}), "Accept-Encoding": "identity", **headers}
    response = await session.request(method, filesystem.encode_url(path), **options)
    if response.status in (404, 410):
        response.close()
        return None
    if (
        response.status >= 400
        and response.status != 416
        and not (method == "HEAD" and response.status in (405, 501))
    ):
        response.close()
        response.raise_for_status()
    return response


def _s3(filesystem: FileSystem, path: str, start: int) -> ObjectStream:
    bucket, key, _ = filesystem.split_path(path)
    wanted = {"Range": f"bytes={start}-"} if start else {}
    try:
        answer = filesystem.call_s3("get_object", Bucket=bucket, Key=key, **wanted)
    except OSError as error:
        if start and "InvalidRange" in _code(error):
            return _EmptyStream()
        raise
    body = _ResponseStream(filesystem, answer["Body"], answer["Body"], answer.get("ContentLength"))
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return _from(body, start, status, answer.get("ContentRange", ""))


def _code(error: OSError) -> str:
    response = getattr(error.__cause__, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _from(body: _ResponseStream, start: int, status: int, content_range: str) -> _ResponseStream:
    """``body`` from byte ``start`` of the object on, whether or not the server respected the range."""
    begin = re.match(r"bytes (\d+)-", content_range)
    if start and status == 206 and (begin is None or int(begin[1]) != start):
        body.close()
        raise OSError(f"the server was asked for bytes from {start:,} on but sends {content_range[:40]!r}")
    if start and status != 206:
        try:
            body.skip(start)
        except Exception:
            body.close()
            raise
    return body


async def _read_up_to(reader: Any, most: int) -> tuple[bytes, Exception | None]:
    """Read up to ``most`` bytes; returns what came, and the error that ended it, if any."""
    parts = []
    try:
        while most and (part := await reader.read(most)):
            parts.append(part)
            most -= len(part)
    except Exception as error:  # noqa: BLE001 (each library has its own)
        return b"".join(parts), error
    return b"".join(parts), None
