"""Runs that are given by URL, as folders on this machine: every file is verified and kept in the cache."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from featurestore.format.layout import LATEST, RUN_LIST, VERSIONS
from featurestore.format.versions import split_version, version_id
from featurestore.places.choose import is_url, place_at
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.place import REMOTE_THREADS
from featurestore.progress import Progress, Silent
from featurestore.read.cache_folder import cache_folder
from featurestore.sharing.bring import fetch_objects, missing_objects
from featurestore.sharing.target import require_free
from schemas.errors import RunError
from training.runs.hashes import HASHES, PUBLISHED
from training.runs.published import FOLD, FoundRun, find_run, is_published_run
from training.runs.series import SeriesFolder

_LAST = ("run.json", "series.json", HASHES)


def local_run(where: str | Path, progress: Progress | None = None) -> Path:
    """The folder of a run or series: the one given, or that of a run published at a URL or in a folder.

    ``URL/fold-2`` is a fold of the series that is published at ``URL``. A remote run is fetched into the
    cache, into a folder for its digest. Files that are already there with the right hash are not fetched
    again, and damaged ones are replaced.

    Raises what :func:`training.runs.published.find_run` raises, :class:`StoreDamagedError`, naming the file,
    if a file does not match its hash, and :class:`StorageError` if there is no space for it.
    """
    if not is_url(where):
        place_at(where)  # refuses s3:/lab and an empty name
    series, _, fold = str(where).rstrip("/").rpartition("/")
    if series and FOLD.fullmatch(fold) and _is_absent(where):
        return _fold_of(local_run(series, progress), fold, where)
    if not is_url(where):
        return _local_folder(where)
    found = find_run(str(where))
    if isinstance(found.place, Folder):
        return found.place.path
    folder = Folder(cache_folder() / "runs" / version_id(found.document.digest) / found.name)
    with storage_errors(folder.path):
        fetch_run(found, folder, progress or Silent())
    return folder.path


def single_run(where: str | Path, progress: Progress | None = None) -> Path:
    """The folder of a run, as :func:`local_run` finds it; of a series with one fold, that of this fold.

    For a series with several folds, it is the folder of the series, which is not that of a run.
    """
    folder = local_run(where, progress)
    if SeriesFolder.is_one(folder) and len(SeriesFolder(folder).names()) == 1:
        return SeriesFolder(folder).fold(1)
    return folder


def name_parts(run: Path) -> tuple[str, ...]:
    """Parts of the path of a run, without ``versions/<id>`` if a version of it is published there."""
    parts = run.resolve().parts
    for length in (len(parts), len(parts) - 1):  # a run or series, or a fold of a series
        if length > 2 and parts[length - 2] == VERSIONS and Path(*parts[:length], PUBLISHED).is_file():
            return parts[: length - 2] + parts[length:]
    return parts


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


def _is_absent(where: str | Path) -> bool:
    """Whether there is neither a folder of this machine nor a published run."""
    return not (is_published_run(where) if is_url(where) else Path(where).exists())


def _fold_of(series: Path, fold: str, where: str | Path) -> Path:
    if SeriesFolder.is_one(series) and not (series / fold).is_dir():
        count = len(SeriesFolder(series).names())
        raise RunError(f"there is no {where}; the series has folds 1 to {count}")
    return series / fold


def _local_folder(where: str | Path) -> Path:
    """A folder of this machine, or that of a version published in it."""
    path = Path(where)
    versioned = path if path.exists() else Path(split_version(str(where))[0])
    is_run = any((path / name).is_file() for name in ("run.json", "series.json"))
    if is_run or not any((versioned / name).is_file() for name in (LATEST, RUN_LIST)):
        return path
    place = find_run(str(where)).place
    return place.path if isinstance(place, Folder) else path
