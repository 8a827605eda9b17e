"""The folder that a store is transferred into: what it may contain, and whether there is enough space."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from stat import S_ISDIR

from featurestore.format.documents import StoredObject, StoreDocument
from featurestore.format.layout import LATEST, ROOT_METADATA, STORE_JSON
from featurestore.format.outside import require_apart, require_path
from featurestore.places.choose import place_at
from featurestore.places.folder import Folder
from featurestore.places.names import LOCK, PARTIAL_SUFFIX, TOKEN
from featurestore.read.opening import read_document_at
from schemas.errors import SerError, StorageError, StoreDamagedError, StoreUnfinishedError, UsageError
from schemas.names import is_corpus_name

MARK = f".pull{PARTIAL_SUFFIX}"
"""Marks a folder with an unfinished transfer; lists the corpora of the store that was there before."""


def target_folder(store: str | Path) -> Folder:
    """The folder at a path. Raises :class:`UsageError` for a URL, and for a folder inside a store."""
    place = place_at(store)
    if not isinstance(place, Folder):
        raise UsageError(f"the target must be a folder on this machine, not {place}; give a path")
    require_path(place.path, f"the target {store}")
    require_apart(place, "")
    return place


def require_target(target: Folder, document: StoreDocument, known: Collection[str]) -> StoreDocument | None:
    """Check that a folder may become the store of ``document``; returns the finished store in it, if any.

    ``known``: digests of versions that may be replaced, whole or in part. Raises :class:`UsageError` if the
    folder contains anything else.
    """
    path = target.path
    try:
        is_folder = S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        is_folder = not path.is_symlink()
    if not is_folder:
        raise UsageError(f"{path} is not a folder; give another name")
    _refuse_linked_folders(path, document.objects)
    try:
        existing = read_document_at(target)
    except StoreUnfinishedError:
        existing = None
    except StoreDamagedError:
        if _same_layout(target, document):
            return None
        raise
    if existing is not None:
        if existing.digest in known or existing.part_of in known or existing.digest == document.digest:
            return existing
        raise UsageError(
            f"{path} contains another store ({existing.digest[:23]}…), which is not a version of this one; "
            f"give another folder, or remove that store"
        )
    _require_own(target, document)
    return None


def _require_own(target: Folder, document: StoreDocument) -> None:
    """Check that a folder without a finished store is empty or contains objects of this store."""
    path = target.path
    try:
        found = sorted(entry.name for entry in path.iterdir())
    except FileNotFoundError:
        return
    if LATEST in found:
        raise UsageError(f"{path} contains published versions, which cannot be changed; give another folder")
    odd = [name for name in found if name not in {LOCK, TOKEN} and not name.endswith(PARTIAL_SUFFIX)]
    if odd and MARK not in found and not _same_layout(target, document):
        raise UsageError(f"{path} contains other files ({odd[0]}, …); give another folder")


def mark_unfinished(target: Folder, existing: StoreDocument | None) -> None:
    """Mark the folder as an unfinished transfer that may be resumed."""
    corpora = sorted({*marked_corpora(target), *(existing.datasets if existing else ())})
    target.write(MARK, json.dumps(corpora).encode())


def marked_corpora(target: Folder) -> list[str]:
    """Corpora of the store that was in the folder before."""
    try:
        names = json.loads(target.read(MARK, 2**16))
    except (OSError, ValueError, RecursionError, StoreDamagedError):
        return []
    return (
        [name for name in names if isinstance(name, str) and is_corpus_name(name)]
        if isinstance(names, list)
        else []
    )


def require_space(target: Folder, document: StoreDocument, missing: Iterable[str]) -> None:
    """Make sure that the disk has space for the missing objects. Raises :class:`StorageError`."""
    needed = 0
    for name in missing:
        partial = target.size(name + PARTIAL_SUFFIX) or 0
        needed += max(document.objects[name].bytes - partial, 0)
    require_free(target.path, needed)


def require_free(path: Path, needed: int) -> None:
    """Make sure that the disk of a file or folder has ``needed`` bytes free. Raises :class:`StorageError`."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise StorageError(
            f"{path} needs {needed / 1e6:,.1f} MB, but its disk has {free / 1e6:,.1f} MB free; free some "
            f"space, choose another place, or select a part of the store"
        )


def _same_layout(target: Folder, document: StoreDocument) -> bool:
    """Whether the root metadata is that of the store, as in a copy that only lost its ``store.json``."""
    try:
        return StoredObject.at(target, ROOT_METADATA) == document.objects[ROOT_METADATA]
    except (FileNotFoundError, SerError):
        return False


def _refuse_linked_folders(path: Path, names: Iterable[str]) -> None:
    """Raise for a folder inside the target that is a link: nothing is written through links."""
    seen: set[Path] = set()
    for name in (STORE_JSON, *names):
        for folder in Path(name).parents:
            if folder in seen:
                break
            seen.add(folder)
            if folder != Path() and (path / folder).is_symlink():
                raise UsageError(
                    f"{path / folder} is a link to another folder; remove the link, or give another folder"
                )
