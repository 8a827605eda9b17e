"""Walks the folder of a corpus and sorts its files by their names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.clip import Ignored
from schemas.errors import CorpusNotFoundError
from schemas.files.formats import AUDIO_SUFFIXES

NOT_UTF8 = "its name is not valid UTF-8; rename it"
"""Reason why a store cannot hold a file."""


@dataclass(frozen=True)
class Tree:
    """Files under a folder: paths relative to it, with forward slashes, sorted."""

    audio: tuple[str, ...]
    other: tuple[str, ...]
    unreadable: tuple[Ignored, ...]
    """Broken links, folders that cannot be listed, names that are not UTF-8."""
    misnamed: tuple[str, ...] = ()
    """Audio files whose names are not UTF-8, also in ``unreadable``: a store cannot name them."""


def walk(root: Path) -> Tree:
    """Find all files under ``root``. Links are followed, and each folder is entered once.

    Hidden files and folders (``.git``, ``.DS_Store``, ``._x`` of macOS), ``__MACOSX`` and Zarr stores
    (``features.zarr``) are skipped. Real folders are walked before linked ones, so that a link back into the
    tree adds nothing. Raises :class:`CorpusNotFoundError` if ``root`` is not a folder or cannot be listed.
    """
    unreadable: list[Ignored] = []
    misnamed: list[str] = []
    audio: list[str] = []
    other: list[str] = []
    for path in _files(root, unreadable):
        if _printable(path) != path:
            unreadable.append(Ignored(_printable(path), NOT_UTF8))
            if is_audio(path):
                misnamed.append(path)
        else:
            (audio if is_audio(path) else other).append(path)
    return Tree(
        tuple(sorted(audio)),
        tuple(sorted(other)),
        tuple(sorted(unreadable, key=lambda item: item.path)),
        tuple(sorted(misnamed)),
    )


def is_audio(path: str) -> bool:
    """Whether the file at ``path`` has the suffix of an audio file."""
    return suffix_of(path).lower() in AUDIO_SUFFIXES


def suffix_of(path: str) -> str:
    """Suffix of the file at ``path`` with its dot, or "". Faster than making a :class:`~pathlib.Path`."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def holds_audio(root: Path) -> bool:
    """Whether there is an audio file under ``root``; stops at the first."""
    try:
        return any(is_audio(path) for path in _files(root, []))
    except CorpusNotFoundError:
        return False


def list_visible(folder: Path) -> list[Path]:
    """Entries of ``folder`` that :func:`walk` does not skip, sorted; none if it cannot be listed."""
    try:
        return sorted(entry for entry in folder.iterdir() if not _is_skipped(entry.name))
    except OSError:
        return []


def _files(root: Path, unreadable: list[Ignored]) -> Iterator[str]:
    """Paths of the regular files under ``root``; entries that cannot be read are added to ``unreadable``."""
    entered: set[tuple[int, int]] = set()
    folders: deque[tuple[Path, str]] = deque([(root, "")])
    while folders:
        folder, prefix = folders.popleft()
        try:
            entries = _entries(folder, entered)
        except OSError as error:
            reason = error.strerror or str(error)
            if not prefix:
                raise CorpusNotFoundError(f"cannot list the folder '{root}': {reason}") from error
            unreadable.append(Ignored(_printable(prefix.rstrip("/")), f"folder cannot be listed: {reason}"))
            continue
        inner: list[tuple[Path, str]] = []
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir():
                (folders if entry.is_symlink() else inner).append((Path(entry.path), path + "/"))
            elif problem := _file_problem(entry):
                unreadable.append(Ignored(_printable(path), problem))
            else:
                yield path
        folders.extendleft(reversed(inner))


def _entries(folder: Path, entered: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """Sorted entries of ``folder``; none if it was entered before."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in entered:
        return []
    entered.add(identity)
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not _is_skipped(entry.name)]
    return sorted(seen, key=lambda entry: entry.name)


def _is_skipped(name: str) -> bool:
    """Whether the entry is hidden, ``__MACOSX`` or a Zarr store, and so not part of a corpus."""
    return name[0] == "." or name == "__MACOSX" or name.lower().endswith(".zarr")


def _file_problem(entry: os.DirEntry[str]) -> str:
    if entry.is_file():
        return ""
    return "a link that leads nowhere" if entry.is_symlink() else "not a regular file"


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
