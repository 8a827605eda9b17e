"""Pull a published run or series into a folder of this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.documents import StoredObject
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.names import PARTIAL_SUFFIX
from featurestore.progress import Progress, Silent
from featurestore.sharing.target import MARK, target_folder
from schemas.errors import SerError, StoppedError, StoreDamagedError, UsageError
from training.runs.elsewhere import fetch_run
from training.runs.hashes import HASHES
from training.runs.published import find_run

_RECORDS = ("run.json", "series.json")
"""Files that make a folder a run or series."""


@dataclass(frozen=True)
class RunPullReport:
    """What was pulled; ``bytes_kept`` were already in the folder."""

    source: str
    run: str
    digest: str
    store: str
    """Digest of the store that the run was trained on."""
    objects: int
    bytes_fetched: int
    bytes_kept: int
    seconds: float


def pull_run(url: str, folder: str | Path, progress: Progress | None = None) -> RunPullReport:
    """Make ``folder`` a copy of the run or series at ``url``; ``URL@1a2b…`` selects a version.

    Every file is hashed before it gets its name. The same call resumes after an interruption and repairs a
    damaged copy. Raises :class:`UsageError` if the folder contains anything else, :class:`StoppedError` after
    Ctrl-C, and what :func:`training.runs.elsewhere.local_run` raises.
    """
    progress, started = progress or Silent(), time.monotonic()
    target = target_folder(folder)
    found = find_run(url)
    objects, digest = found.document.objects, found.document.digest
    _require_own(target, objects, digest)
    try:
        with storage_errors(target):
            if not _is_copy(target, objects):
                target.write(MARK, digest.encode())
            moved = fetch_run(found, target, progress)
            target.delete([MARK])
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what was transferred to {target} so far is kept: run the same command again to resume"
        ) from None
    return RunPullReport(
        source=str(found.place),
        run=str(target),
        digest=digest,
        store=found.document.facts.store,
        objects=len(objects),
        bytes_fetched=moved,
        bytes_kept=max(sum(entry.bytes for entry in objects.values()) - moved, 0),
        seconds=time.monotonic() - started,
    )


def _require_own(target: Folder, objects: Mapping[str, StoredObject], digest: str) -> None:
    """Check that a folder is empty, an unfinished pull of this version, or a copy of it."""
    path = target.path
    if path.is_symlink() and not path.exists():
        raise UsageError(f"{path} is a link to nothing; remove it, or give another name")
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; give a folder")
    present = sorted(name for name in target.sizes() if not name.endswith(PARTIAL_SUFFIX))
    for name in objects:
        for folder in Path(name).parents:
            if folder != Path() and (path / folder).is_symlink():
                raise UsageError(f"{path / folder} is a link to another folder; give another folder")
    if _is_copy(target, objects) or _marked(target) == digest:
        return
    if _marked(target) is not None:
        raise UsageError(f"{path} contains an unfinished pull of another run; give another folder")
    if present:
        is_run = any(name in present for name in _RECORDS)
        what = "another run, or another version of it" if is_run else f"other files ({present[0]}, …)"
        raise UsageError(f"{path} contains {what}; give another folder")


def _is_copy(target: Folder, objects: Mapping[str, StoredObject]) -> bool:
    """Whether the folder lists the same files, so that what differs in it is damage."""
    try:
        return StoredObject.at(target, HASHES) == objects[HASHES]
    except (FileNotFoundError, SerError):
        return False


def _marked(target: Folder) -> str | None:
    """Digest of the version whose pull was interrupted; None if there is none."""
    try:
        return target.read(MARK, 2**16).decode(errors="replace")
    except (FileNotFoundError, StoreDamagedError):
        return None
