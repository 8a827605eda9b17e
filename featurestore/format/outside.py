"""Keeps other files out of feature stores: a build deletes what is not one of its objects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from featurestore.format.layout import LATEST, RECORDS, ROOT_METADATA, STORE_JSON, VERSIONS
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from schemas.errors import UsageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""A URL, also after :class:`~pathlib.Path` has removed one of its slashes."""


def require_outside(path: Path, option: str) -> None:
    """Check, before anything is written, that ``path`` is neither a feature store nor inside one.

    Links are followed. ``option`` names the path in the message, such as ``--out``; it may be empty.

    Raises :class:`UsageError`, also for a URL: files are written on this machine.
    """
    named = f"{option} {path}".strip()
    require_path(path, named)
    for real in _real_paths(path):
        _require_no_store(named, (real, *real.parents))


def require_path(path: str | Path, named: str) -> None:
    """Raise :class:`UsageError` for a URL: files are written on this machine.

    ``named`` is the path in the message.
    """
    if _URL.match(str(path)):
        raise UsageError(
            f"{named} is a URL; give a path on this machine and copy the result there afterwards"
        )


def require_apart(place: Place, option: str) -> None:
    """Check that a place for a store is not inside another feature store; it may be a store itself.

    Raises :class:`UsageError`.
    """
    if isinstance(place, Folder):
        for real in _real_paths(place.path):
            _require_no_store(f"{option} {place}".strip(), real.parents)


def _require_no_store(named: str, folders: Iterable[Path]) -> None:
    store = next(filter(_is_store, folders), None)
    if store is not None:
        here = Path(os.path.realpath("."))
        shown = store.relative_to(here) if here in store.parents else store
        raise UsageError(
            f"{named} is inside the feature store {shown}, which holds only its own objects; choose a place "
            f"outside it"
        )


def _real_paths(path: Path) -> set[Path]:
    """Where writing to ``path`` may put bytes: the place of its name, and the target if it is a link."""
    return {Path(os.path.realpath(path.parent), path.name), Path(os.path.realpath(path))}


def _is_store(folder: Path) -> bool:
    """Whether the folder is a store, finished or not, or the folder of all versions at a published place."""
    return (
        os.path.isfile(folder / STORE_JSON)  # noqa: PTH113 False where a Path raises
        or (os.path.isfile(folder / ROOT_METADATA) and os.path.isdir(folder / RECORDS))  # noqa: PTH112, PTH113
        or (folder.name == VERSIONS and os.path.isfile(folder.parent / LATEST))  # noqa: PTH113
    )
