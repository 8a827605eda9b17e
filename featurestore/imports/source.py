"""What a source of imported features holds: one array per entry, and the hash of its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.errors import FeatureSourceError
from schemas.files.regular_file import open_regular_file

MOST_FILE = 2**40
"""Bytes of a file of features; files that are read whole have lower limits."""

_BLOCK = 4 * 2**20

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Entry:
    """One array of a source. ``key`` : how the source names the clip. ``shape`` : of what ``load`` gives."""

    key: str
    shape: tuple[int, ...]
    load: Callable[[], Array]
    """Read it: (values,), (frames, values) or (layers, frames, values)."""


@dataclass(frozen=True)
class FeatureSource:
    """Entries of one or several files.

    ``form`` : what the files are, such as "CSV table". ``names`` : of the files, without their folders.
    ``columns`` : of a table, in the order of the values; None for other sources.
    """

    form: str
    names: tuple[str, ...]
    sha256: str
    entries: tuple[Entry, ...]
    columns: tuple[str, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(values,), (frames, values) or (layers, frames, values), with the most frames of any entry.

        Raises :class:`FeatureSourceError` if entries differ in anything but their frames, or if there are
        none.
        """
        first = self.entries[0]
        for entry in self.entries:
            if _without_frames(entry.shape) != _without_frames(first.shape):
                raise FeatureSourceError(
                    f"'{first.key}' has the shape {first.shape}, but '{entry.key}' has {entry.shape}; "
                    f"only the number of frames may differ"
                )
        if len(first.shape) == 1:
            return first.shape
        frames = max(entry.shape[-2] for entry in self.entries)
        return (*first.shape[:-2], frames, first.shape[-1])


def _without_frames(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 1 else (len(shape), *shape[:-2], shape[-1])


def hash_files(hashes: Mapping[str, str]) -> str:
    """SHA-256 of a source of files, from name → hash: that of the only file, or that of the list."""
    return next(iter(hashes.values())) if len(hashes) == 1 else hash_list(hashes)


def hash_list(hashes: Mapping[str, str]) -> str:
    """SHA-256 of the lines ``hash  name``, sorted by name, as ``sha256sum`` writes them."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open_regular_file(path, MOST_FILE) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_again(path: Path, start: int, size: int, sha256: str) -> bytes:
    """Bytes of a file that were hashed before. Raises :class:`FeatureSourceError` if they have changed."""
    with open_regular_file(path, MOST_FILE) as file:
        file.seek(start)
        data = file.read(size)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise FeatureSourceError(f"'{path}' was changed during the import; run the command again")
    return data


def require_numbers(dtype: np.dtype[np.generic], what: str) -> None:
    """Raise :class:`FeatureSourceError` unless arrays of ``dtype`` hold real numbers."""
    if dtype.kind not in "fiu":
        raise FeatureSourceError(f"{what} holds values of type {dtype}, not numbers; write float32")


def file_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Names of the files, without their folders. Raises :class:`FeatureSourceError` for equal ones."""
    names = tuple(path.resolve().name for path in paths)
    for name in names:
        if names.count(name) > 1:
            raise FeatureSourceError(f"two files are called '{name}'; rename one of them")
        if not name.isprintable():
            raise FeatureSourceError(f"the file name {name!a} has characters to escape; rename the file")
    return names
