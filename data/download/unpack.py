"""A zip file from elsewhere to a folder: nothing lands outside, and nothing is larger than it says."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from data.download.errors import DownloadError
from data.download.safe_name import safe_path

MOST_FILES = 200_000
MOST_RATIO = 50
"""Times the size of the archive: recordings shrink to a third, zip bombs to a thousandth."""

_BLOCK = 1 << 20
_SLACK = 1 << 20
_ENCRYPTED = 0x1


def unpacked_size(archive: Path) -> int:
    """Bytes that :func:`unpack` will write, by what the archive declares. Raises as :func:`unpack`."""
    with _opened(archive) as zipped:
        return sum(info.file_size for info in _members(zipped, archive))


def unpack(archive: Path, folder: Path, require_going: Callable[[], None]) -> int:
    """Write the regular files of a zip file under ``folder``, synced; returns how many.

    Hidden files and ``__MACOSX`` are left out. ``require_going`` may stop it between two blocks. Raises
    :class:`DownloadError`, before anything is written, for names that lead out of the folder or stand in it
    twice, links, encrypted files, and archives that declare more than :data:`MOST_RATIO` times their own
    size; while writing for one that holds something other than it declares.
    """
    with _opened(archive) as zipped:
        members = _members(zipped, archive)
        for info in members:
            path = folder / safe_path(info.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with zipped.open(info) as source, path.open("wb") as target:
                    # zipfile gives no more than the declared size, and compares the checksum at its end.
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


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise DownloadError(
            f"{archive.name} is no zip file, though its checksum is what its publisher announces; get it "
            f"from the home page"
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
            raise DownloadError(f"{path!r} stands in {archive.name} twice; nothing was unpacked")
    declared, most = (
        sum(info.file_size for info in members.values()),
        archive.stat().st_size * MOST_RATIO + _SLACK,
    )
    if declared > most or len(members) > MOST_FILES:
        raise DownloadError(
            f"{archive.name} declares {len(members):,} files of {declared:,} bytes, more than recordings can "
            f"be in {archive.stat().st_size:,}; nothing was unpacked"
        )
    return list(members.values())
