"""A folder of NumPy files, each named after its clip."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from pathlib import Path

import numpy as np

from featurestore.imports.source import (
    Array,
    Entry,
    FeatureSource,
    file_names,
    hash_list,
    read_again,
    require_numbers,
)
from schemas.errors import FeatureSourceError
from schemas.files.regular_file import read_regular_file
from schemas.names import is_utf8

MOST_ARRAY = 2**31
"""Bytes of the array of one clip."""


def read_folder(folder: Path) -> FeatureSource:
    """The entries of all ``.npy`` files below a folder. Raises :class:`FeatureSourceError`."""
    paths = sorted(folder.rglob("*.npy"))
    if not paths:
        raise FeatureSourceError(
            f"the folder '{folder}' has no .npy files; give one per clip, named after it"
        )
    hashes: dict[str, str] = {}
    entries = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if not is_utf8(name):
            raise FeatureSourceError(f"the file name {name!a} is not UTF-8; rename the file")
        try:
            data = read_regular_file(path, MOST_ARRAY)
        except OSError as error:
            raise FeatureSourceError(f"cannot read '{path}': {error.strerror or error}") from error
        hashes[name] = hashlib.sha256(data).hexdigest()
        array = _load(data, path)
        load = partial(_load_again, path, len(data), hashes[name])
        entries.append(Entry(name.removesuffix(".npy"), array.shape, load))
    (own,) = file_names([folder])
    return FeatureSource("folder of NumPy files", (own,), hash_list(hashes), tuple(entries))


def _load_again(path: Path, size: int, sha256: str) -> Array:
    return _load(read_again(path, 0, size, sha256), path)


def _load(data: bytes, path: Path) -> Array:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        why = str(error).partition("\n")[0][:200]
        raise FeatureSourceError(
            f"'{path}' is not a NumPy file of numbers ({why}); write it with numpy.save"
        ) from error
    require_numbers(array.dtype, f"'{path}'")
    if not 1 <= array.ndim <= 3:
        raise FeatureSourceError(
            f"'{path}' has the shape {array.shape}; give (values,), (frames, values) or "
            f"(layers, frames, values)"
        )
    return np.asarray(array)
