"""The bytes of a recording, in memory or in an open file, read at any offset.

::

    bytes ──▶ MemorySource ─┐
                            ├▶ Part: behind leading tags, header fields corrected ──▶ Cursor ──▶ libsndfile
    file  ──▶ FileSource  ──┘

All readers use these classes, so a recording gives the same samples from memory and from a file.
"""

from __future__ import annotations

import hashlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from schemas.files.regular_file import open_regular_file

Bytes = bytes | memoryview
"""Bytes of a file, held by Python or by another decoder."""

Patch = tuple[int, bytes]
"""An offset, and the bytes to read there instead of those of the file."""

WHOLE_BYTES = 16 * 2**20
"""Files up to this size are read whole. Of longer ones, the header is read first."""

_BLOCK = 2**20


class ByteSource(ABC):
    """Bytes that can be read at any offset. ``size`` : their number."""

    size: int

    @abstractmethod
    def copy(self, offset: int, to: memoryview) -> int:
        """Copy bytes from ``offset`` on to ``to`` (n,) uint8; returns how many, fewer only at the end."""

    def read(self, offset: int, count: int) -> bytes:
        """Read ``count`` bytes from ``offset`` on, or as many as there are."""
        found = bytearray(max(0, min(count, self.size - offset)))
        copied = self.copy(offset, memoryview(found))
        return bytes(found[:copied])

    def sha256(self) -> str:
        """SHA-256 of all bytes, hexadecimal."""
        digest = hashlib.sha256()
        block = memoryview(bytearray(min(_BLOCK, self.size)))
        offset = 0
        while count := self.copy(offset, block):
            digest.update(block[:count])
            offset += count
        return digest.hexdigest()


class MemorySource(ByteSource):
    """Bytes in memory."""

    def __init__(self, data: Bytes) -> None:
        self._data = memoryview(data).cast("B")
        self.size = len(self._data)

    def copy(self, offset: int, to: memoryview) -> int:
        """See :meth:`ByteSource.copy`."""
        part = self._data[offset : offset + len(to)]
        to[: len(part)] = part
        return len(part)

    def read(self, offset: int, count: int) -> bytes:
        """See :meth:`ByteSource.read`."""
        return bytes(self._data[offset : offset + count])

    def sha256(self) -> str:
        """See :meth:`ByteSource.sha256`."""
        return hashlib.sha256(self._data).hexdigest()


class FileSource(ByteSource):
    """An open regular file of the size that it had when it was opened; only what is asked for is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self._opened = self._state()
        self.size = self._opened[0]

    def copy(self, offset: int, to: memoryview) -> int:
        """See :meth:`ByteSource.copy`. Raises ``OSError``."""
        wanted = max(0, min(len(to), self.size - offset))
        copied = 0
        while copied < wanted and (
            count := os.preadv(self._descriptor, [to[copied:wanted]], offset + copied)
        ):
            copied += count
        return copied

    def has_changed(self) -> bool:
        """Whether the file was written since it was opened."""
        return self._state() != self._opened

    def _state(self) -> tuple[int, int, int]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Part(ByteSource):
    """The bytes of ``whole`` from ``start`` on, with ``patches`` at offsets in this part."""

    def __init__(self, whole: ByteSource, start: int = 0, patches: Sequence[Patch] = ()) -> None:
        self._whole, self._start, self._patches = whole, start, tuple(patches)
        self._patched_until = max((offset + len(new) for offset, new in self._patches), default=0)
        self.size = whole.size - start

    def copy(self, offset: int, to: memoryview) -> int:
        """See :meth:`ByteSource.copy`."""
        count = self._whole.copy(self._start + offset, to)
        if offset < self._patched_until:
            for at, new in self._patches:
                first, last = max(at, offset), min(at + len(new), offset + count)
                if first < last:
                    to[first - offset : last - offset] = new[first - at : last - at]
        return count


RecordingFile = str | Path | bytes | ByteSource
"""A recording: its path, its bytes, or an open source of them."""


@contextmanager
def open_recording(path: str | Path) -> Iterator[ByteSource]:
    """Open a recording, whose bytes can be read within the context.

    Up to :data:`WHOLE_BYTES` are read at once; of a larger file only what is asked for. Raises ``OSError``
    for a file that cannot be read, and at once for a pipe, a device or a socket.
    """
    with open_regular_file(path, sys.maxsize) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= WHOLE_BYTES:
            data = file.read(WHOLE_BYTES + 1)
            if len(data) <= WHOLE_BYTES:
                yield MemorySource(data)
                return
        yield FileSource(file)


def opened(recording: RecordingFile) -> AbstractContextManager[ByteSource]:
    """Open a recording given by its path, or take its bytes or an open source as it is."""
    if isinstance(recording, ByteSource):
        return nullcontext(recording)
    if isinstance(recording, bytes):
        return nullcontext(MemorySource(recording))
    return open_recording(recording)
