"""A store in one file: a plain tar archive (POSIX ustar) whose bytes depend on the store alone."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from featurestore.format.documents import MOST_DOCUMENT, StoreDocument
from featurestore.format.layout import STORE_JSON
from featurestore.places.place import BLOCK_BYTES
from featurestore.read.opening import read_document_at
from schemas.errors import StorageError, StoreDamagedError

_BLOCK, _RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
MOST_MEMBER = 8**11 - 1
"""The most bytes of a member: eleven octal digits."""


def header(name: str, size: int) -> bytes:
    """The 512-byte header before an object: no owner, no time, readable by everyone."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def padding(size: int) -> bytes:
    """The zeros after an object, so that the next header begins at a multiple of 512 bytes."""
    return bytes(-size % _BLOCK)


def end(size: int) -> bytes:
    """The zeros after the last object of an archive that has ``size`` bytes so far."""
    return bytes(2 * _BLOCK + -(size + 2 * _BLOCK) % _RECORD)


class Archive:
    """A packed store as a read-only :class:`~featurestore.places.place.Place`.

    Opening reads only the headers. Each must describe a regular file that ``store.json``, the first member,
    lists with the same size. Links, devices, duplicate names, extended headers and data after the end are
    refused. Headers are parsed by :meth:`tarfile.TarInfo.frombuf`, which takes 512 bytes and acts on nothing
    they say. So opening reads at most 512 bytes per object and keeps about 100, whatever the size of the
    file.

    Raises :class:`StoreDamagedError` if the file is not a complete packed store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members: dict[str, tuple[int, int]] = {}
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise self._unreadable(error) from error
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self.document = self._read_document()
            self._index(self.document)
        except BaseException:
            self._file.close()
            raise

    def __str__(self) -> str:
        return str(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str, most: int) -> bytes:
        """Read an object of at most ``most`` bytes."""
        size = self._member(name)[1]
        if size > most:
            raise StoreDamagedError(
                f"{name} in {self} has {size:,} bytes, but at most {most:,} are possible; do not use it"
            )
        return b"".join(self.blocks(name))

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """Read an object block by block, from byte ``start``."""
        begin, size = self._member(name)
        while start < size:
            block = self._read_at(begin + start, min(BLOCK_BYTES, size - start))
            if not block:
                raise self._cut_off()
            start += len(block)
            yield block

    def size(self, name: str) -> int | None:
        """Size of an object in bytes; None if the archive does not contain it."""
        return self._members[name][1] if name in self._members else None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of every object below ``folder``."""
        return {name: size for name, (_, size) in self._members.items() if name.startswith(folder)}

    def write(self, name: str, data: bytes) -> None:
        """Raise :class:`StorageError`: a packed store is read-only."""
        del data
        raise StorageError(f"cannot write {name} into {self}: a packed store is read-only; unpack it first")

    def delete(self, names: Iterable[str]) -> None:
        """Raise :class:`StorageError`: a packed store is read-only."""
        raise StorageError(
            f"cannot delete {', '.join(names)} from {self}: a packed store is read-only; unpack it first"
        )

    def copy(self, source: str, target: str) -> bool:
        """Return False: a packed store cannot copy its objects."""
        del source, target
        return False

    def _read_document(self) -> StoreDocument:
        first = self._header(0)
        if first is None or first.name != STORE_JSON or not 0 <= first.size <= MOST_DOCUMENT:
            raise StoreDamagedError(
                f"{self} is not a packed store: its first member is not {STORE_JSON}; "
                f"give a file that `pack` made"
            )
        self._add(first, 0)
        return read_document_at(self)

    def _index(self, document: StoreDocument) -> None:
        """Find every object and check that the archive contains nothing else."""
        offset = self._after(STORE_JSON)
        while (info := self._header(offset)) is not None:
            entry = document.objects.get(info.name)
            if entry is None:
                raise self._odd(f"contains {info.name[:100]!r}, which its {STORE_JSON} does not list")
            if info.name in self._members:
                raise self._odd(f"contains {info.name} twice")
            if info.size != entry.bytes:
                raise self._odd(
                    f"has {info.size:,} bytes for {info.name}, but its {STORE_JSON} says {entry.bytes:,}"
                )
            self._add(info, offset)
            offset = self._after(info.name)
        lost = document.objects.keys() - self._members.keys()
        if lost:
            raise self._odd(f"lacks {min(lost)} and {len(lost) - 1:,} more objects")
        if self._size - offset > 2 * _BLOCK + _RECORD or any(self._read_at(offset, 3 * _RECORD)):
            raise self._odd("has data after its end")

    def _header(self, offset: int) -> tarfile.TarInfo | None:
        """Parse the header at ``offset``, which must be that of a regular file; None at the end."""
        block = self._read_at(offset, _BLOCK)
        if len(block) < _BLOCK:
            raise (
                self._cut_off()
                if offset
                else StoreDamagedError(
                    f"{self} is not a packed store: it is too short; give a file that `pack` made"
                )
            )
        if not any(block):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            if offset:
                raise self._odd(f"has an invalid header ({error})") from None
            raise StoreDamagedError(
                f"{self} is not a packed store ({error}); give a file that `pack` made"
            ) from None
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.linkname:
            raise self._odd(f"contains {info.name[:100]!r}, which is not a regular file")
        return info

    def _add(self, info: tarfile.TarInfo, offset: int) -> None:
        begin = offset + _BLOCK
        if info.size < 0 or begin + info.size + len(padding(info.size)) > self._size:
            raise self._cut_off()
        self._members[info.name] = begin, info.size

    def _after(self, name: str) -> int:
        begin, size = self._members[name]
        return begin + size + len(padding(size))

    def _member(self, name: str) -> tuple[int, int]:
        try:
            return self._members[name]
        except KeyError:
            raise FileNotFoundError(f"there is no {name} in {self}") from None

    def _read_at(self, offset: int, count: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), count, offset)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot read {self}: {error.strerror or error}; check the permissions and the disk"
        )

    def _cut_off(self) -> StoreDamagedError:
        return StoreDamagedError(f"{self} is cut off after {self._size:,} bytes; copy the file again")

    def _odd(self, what: str) -> StoreDamagedError:
        return StoreDamagedError(f"{self} {what}; `pack` does not make such files, so do not use it")


def write_padded(file: BinaryIO, name: str, size: int, blocks: Iterable[bytes]) -> int:
    """Append an object to an archive; returns the number of bytes written."""
    written = file.write(header(name, size))
    for block in blocks:
        written += file.write(block)
    return written + file.write(padding(size))
