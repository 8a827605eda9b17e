"""Runs that are given by URL, as folders on this machine: every file is verified and kept in the cache."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from featurestore.format.layout import LATEST, RUN_LIST
from featurestore.format.versions import split_version, version_id
from featurestore.places.choose import is_url, place_at
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.place import REMOTE_THREADS
from featurestore.progress import Progress, Silent
from featurestore.read.cache_folder import cache_folder
from featurestore.sharing.bring import fetch_objects, missing_objects
from featurestore.sharing.target import require_free
from training.runs.hashes import HASHES, PUBLISHED
from training.runs.published import FoundRun, find_run

_LAST = ("run.json", "series.json", HASHES)


def local_run(where: str | Path, progress: Progress | None = None) -> Path:
    """The folder of a run or series: the one given, or that of a run published at a URL or in a folder.

    A remote run is fetched into the cache, into a folder for its digest. Files that are already there with
    the right hash are not fetched again, and damaged ones are replaced.

    Raises what :func:`training.runs.published.find_run` raises, :class:`StoreDamagedError`, naming the file,
    if a file does not match its hash, and :class:`StorageError` if there is no space for it.
    """
    if not is_url(where):
        place_at(where)  # refuses s3:/lab and an empty name
        return _local_folder(where)
    found = find_run(str(where))
    if isinstance(found.place, Folder):
        return found.place.path
    folder = Folder(cache_folder() / "runs" / version_id(found.document.digest) / found.name)
    with storage_errors(folder.path):
        fetch_run(found, folder, progress or Silent())
    return folder.path


def fetch_run(found: FoundRun, folder: Folder, progress: Progress) -> int:
    """Fetch the files of a run that a folder lacks; returns their bytes.

    Those that make a folder a run come last, so that a part of a run is never taken for one.
    """
    objects = found.document.objects
    missing = missing_objects(folder, objects, progress)
    require_free(folder.path, sum(objects[name].bytes for name in missing))
    moved = 0
    for is_last in (False, True):
        wanted = {name: objects[name] for name in missing if (PurePosixPath(name).name in _LAST) == is_last}
        moved += fetch_objects(found.place, folder, wanted, progress, REMOTE_THREADS, PUBLISHED)
    return moved


def _local_folder(where: str | Path) -> Path:
    """A folder of this machine, or that of a version published in it."""
    path = Path(where)
    versioned = path if path.exists() else Path(split_version(str(where))[0])
    is_run = any((path / name).is_file() for name in ("run.json", "series.json"))
    if is_run or not any((versioned / name).is_file() for name in (LATEST, RUN_LIST)):
        return path
    place = find_run(str(where)).place
    return place.path if isinstance(place, Folder) else path
