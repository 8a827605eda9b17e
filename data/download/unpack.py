"""Unpacks untrusted zip files: no file leaves the folder or exceeds its declared size."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from data.download.errors import DownloadError
from data.download.safe_name import safe_path
from schemas.messages.counts import format_count

MOST_FILES = 200_000
MOST_RATIO = 50
"""Largest ratio of unpacked to packed size: recordings shrink to about a third, zip bombs to a thousandth."""

_BLOCK = 1 << 20
_SLACK = 1 << 20
_ENCRYPTED = 0x1


def unpacked_size(archive: Path) -> int:
    """Bytes that :func:`unpack` will write, as declared in the archive. Raises as :func:`unpack`."""
    with _open(archive) as zipped:
        return sum(info.file_size for info in _members(zipped, archive))


def unpack(archive: Path, folder: Path, require_going: Callable[[], None]) -> int:
    """Write the regular files of a zip file to ``folder`` and sync them; returns their number.

    Hidden files and ``__MACOSX`` are skipped. ``require_going`` is called between blocks and may raise to
    stop. Raises :class:`DownloadError` before writing anything if a name leads out of the folder or occurs
    twice, if there are links or encrypted files, or if the archive declares more than :data:`MOST_RATIO`
    times its own size. Raises it while writing if a file differs from its declaration.
    """
    with _open(archive) as zipped:
        members = _members(zipped, archive)
        for info in members:
            path = folder / safe_path(info.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with zipped.open(info) as source, path.open("wb") as target:
                    # zipfile reads at most the declared size, and verifies the checksum at the end.
                    while block := source.read(_BLOCK):
                        require_going()
                        target.write(block)
                    target.flush()
                    os.fsync(target.fileno())
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                raise DownloadError(
                    f"{info.filename} in {archive.name} is damaged ({error}); remove '{archive}' and run "
                    f"the same command again"
                ) from error
            if path.stat().st_size != info.file_size:
                raise DownloadError(f"{info.filename} in {archive.name} is shorter than the archive declares")
        return len(members)


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise DownloadError(
            f"{archive.name} is not a zip file, although it has the checksum that its publisher announces; "
            f"download it from the home page"
        ) from error


def _members(zipped: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in zipped.infolist():
        if info.is_dir():
            continue
        path = safe_path(info.filename)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise DownloadError(f"{path!r} in {archive.name} is a link or device; nothing was unpacked")
        if info.flag_bits & _ENCRYPTED:
            raise DownloadError(f"{path!r} in {archive.name} is encrypted; nothing was unpacked")
        if any(part.startswith(".") or part == "__MACOSX" for part in path.split("/")):
            continue
        if members.setdefault(path, info) is not info:
            raise DownloadError(f"{path!r} occurs twice in {archive.name}; nothing was unpacked")
    declared, most = (
        sum(info.file_size for info in members.values()),
        archive.stat().st_size * MOST_RATIO + _SLACK,
    )
    if declared > most or len(members) > MOST_FILES:
        raise DownloadError(
            f"{archive.name} declares {format_count(len(members), 'file')} of {declared:,} bytes, too many "
            f"for recordings in an archive of {archive.stat().st_size:,} bytes; nothing was unpacked"
        )
    return list(members.values())
