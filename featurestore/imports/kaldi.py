"""Kaldi archives: binary and text matrices and vectors in ``.ark`` files, and ``.scp`` lists that point into
them.

Written here because the readers on PyPI run shell commands that an ``.scp`` names or unpickle what an archive
holds, or have terms that forbid most uses. Format: ``kaldi-matrix.cc`` and ``kaldi-io.cc`` of Kaldi.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from featurestore.imports.source import (
    MOST_FILE,
    Array,
    Entry,
    FeatureSource,
    file_names,
    hash_file,
    hash_files,
    read_again,
)
from schemas.errors import FeatureSourceError
from schemas.files.regular_file import open_regular_file, read_regular_file
from schemas.files.text import TextError, decode_text

ARK, SCP = ".ark", ".scp"

_MOST_TOKEN = 4096
_MOST_SCP = 2**30
_MOST_TEXT = 2**32
_DTYPES = {b"F": "<f4", b"D": "<f8"}
_COMPRESSED = (b"CM", b"CM2", b"CM3")


def read_archives(paths: Sequence[Path]) -> FeatureSource:
    """The entries of archives, or of lists of entries. Raises :class:`FeatureSourceError`."""
    hashes = dict(zip(file_names(paths), map(_hash, paths), strict=True))
    entries: list[Entry] = []
    for path in paths:
        if path.suffix.lower() == SCP:
            entries += _listed_entries(path)
        else:
            entries += _archived_entries(path)
    seen: set[str] = set()
    for entry in entries:
        if entry.key in seen:
            raise FeatureSourceError(f"'{entry.key}' appears twice in '{paths[0]}'; keep one of them")
        seen.add(entry.key)
    if not entries:
        raise FeatureSourceError(f"'{paths[0]}' has no entries")
    return FeatureSource("Kaldi archive", tuple(hashes), hash_files(hashes), tuple(entries))


def _hash(path: Path) -> str:
    """SHA-256 of an archive; of a list, of it and its archives."""
    try:
        if path.suffix.lower() != SCP:
            return hash_file(path)
        archives = dict.fromkeys(archive for _, archive, _ in _lines(path))
        own = [hash_file(path), *(hash_file(archive) for archive in archives)]
        return hashlib.sha256("".join(f"{each}\n" for each in own).encode()).hexdigest()
    except OSError as error:
        raise FeatureSourceError(
            f"cannot read '{error.filename or path}': {error.strerror or error}; check the path"
        ) from error


def _lines(path: Path) -> Iterator[tuple[str, Path, int]]:
    """Key, archive and position of each line of a list. Archives are looked for here, then beside it."""
    try:
        text = decode_text(read_regular_file(path, _MOST_SCP))
    except TextError as error:
        raise FeatureSourceError(f"'{path}' {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        key, _, target = line.strip().partition(" ")
        name, colon, position = target.strip().rpartition(":")
        if not colon or not position.isdecimal():
            raise FeatureSourceError(
                f"line {number} of '{path}' names no entry of an archive ({target.strip()[:80]}); only "
                f"KEY FILE:POSITION can be imported, no commands and no ranges"
            )
        archive = Path(name)
        yield key, archive if archive.exists() else path.parent / archive, int(position)


def _listed_entries(path: Path) -> Iterator[Entry]:
    for key, archive, position in _lines(path):
        with open_regular_file(archive, MOST_FILE) as file:
            file.seek(position)
            yield _entry(file, key, archive)


def _archived_entries(path: Path) -> Iterator[Entry]:
    with open_regular_file(path, MOST_FILE) as file:
        while key := _read_token(file, path):
            start = file.tell()
            if file.read(2) != b"\0B":
                yield from _text_entries(path)
                return
            file.seek(start)
            yield _entry(file, key, path)


def _read_token(file: BinaryIO, path: Path) -> str:
    """The bytes before the next space; empty at the end of the file."""
    token = b""
    while (byte := file.read(1)) not in (b"", b" "):
        token += byte
        if len(token) > _MOST_TOKEN:
            raise FeatureSourceError(f"'{path}' is not a Kaldi archive: it begins with no key")
    if token.strip() and not byte:
        raise FeatureSourceError(f"'{path}' is cut off after the key '{token.decode(errors='replace')[:60]}'")
    try:
        return token.strip().decode()
    except UnicodeDecodeError as error:
        raise FeatureSourceError(f"'{path}' is not a Kaldi archive: a key is not UTF-8") from error


def _entry(file: BinaryIO, key: str, path: Path) -> Entry:
    """The binary array at the position of ``file``, which is then behind it."""
    if file.read(2) != b"\0B":
        raise FeatureSourceError(f"'{key}' in '{path}' is not a binary Kaldi object; check the position")
    kind = file.read(3).rstrip()
    if kind in _COMPRESSED:
        raise FeatureSourceError(
            f"'{key}' in '{path}' is compressed; write it again with copy-feats --compress=false"
        )
    if len(kind) != 2 or kind[:1] not in _DTYPES or kind[1:] not in (b"M", b"V"):
        raise FeatureSourceError(
            f"'{key}' in '{path}' is neither a matrix nor a vector of floating-point numbers"
        )
    dtype = np.dtype(_DTYPES[kind[:1]])
    shape = tuple(_read_size(file, key, path) for _ in range(2 if kind[1:] == b"M" else 1))
    size, start = dtype.itemsize * math.prod(shape), file.tell()
    if size > os.fstat(file.fileno()).st_size - start:
        raise FeatureSourceError(f"'{key}' in '{path}' is cut off: {shape} does not fit into the file")
    digest = hashlib.sha256(file.read(size)).hexdigest()
    return Entry(key, shape, partial(_load, path, start, size, digest, dtype, shape))


def _read_size(file: BinaryIO, key: str, path: Path) -> int:
    data = file.read(5)
    if len(data) < 5 or data[0] != 4 or (size := struct.unpack("<i", data[1:])[0]) < 0:
        raise FeatureSourceError(f"'{key}' in '{path}' has no valid size; the archive is damaged")
    return int(size)


def _load(
    path: Path, start: int, size: int, sha256: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Array:
    return np.frombuffer(read_again(path, start, size, sha256), dtype).reshape(shape)


def _text_entries(path: Path) -> Iterator[Entry]:
    """The entries of a text archive: ``KEY [ 1 2 ]`` for a vector, rows on lines of their own otherwise."""
    try:
        rest = decode_text(read_regular_file(path, _MOST_TEXT))
        while rest.strip():
            key, array, rest = _parse_text(rest)
            yield Entry(key, array.shape, partial(np.asarray, array))
    except (TextError, ValueError) as error:
        raise FeatureSourceError(f"'{path}' is not a Kaldi archive ({error})") from error


def _parse_text(text: str) -> tuple[str, Array, str]:
    """Key and array of the first entry, and the text after it. Raises ValueError."""
    key, opening, after = text.partition("[")
    body, closing, rest = after.partition("]")
    if not opening or not closing or not key.strip():
        raise ValueError(f"'{text.strip()[:40]}' is no entry such as KEY [ 1 2 ]")
    if body.lstrip(" \t").startswith(("\n", "\r")):
        rows = [line.split() for line in body.splitlines() if line.strip()]
        return key.strip(), np.array(rows, np.float64), rest
    return key.strip(), np.array(body.split(), np.float64), rest
