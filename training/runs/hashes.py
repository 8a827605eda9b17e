"""Hashes of the files of a run or series: ``hashes.json``, sealed like the documents of a store.

::

    plan ──▶ hashes.json: plan ──▶ run.json ──▶ training ──▶ results ──▶ hashes.json: plan, weights, results
                                                                                   │
                                               predict, evaluate, export, demo, resume compare each file

Whenever training stops, every hash is true. Before results are written again, their hashes are taken out; and
a checkpoint, which is replaced during training, has a hash of its own (:mod:`training.loop.checkpoint`).

A folder without ``hashes.json`` was trained by a version that wrote none; it is read as it is. Other files in
the folder, such as notes, are of no concern here.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import ValidationError

from featurestore.format.documents import StoredObject
from featurestore.format.seal import seal, unseal
from featurestore.places.durable import write_durably
from schemas.errors import RunError
from schemas.model import Model
from schemas.recipe import first_problem

HASHES = "hashes.json"

PUBLISHED = "published.json"
"""List of all files of a published run, folds included (:mod:`training.runs.published`)."""

PLANNED = (
    "run.json",
    "split.json",
    "audit.json",
    "normalisation.safetensors",
    "held-out.safetensors",
    "series.json",
    "search.json",
    "matrix.json",
)
"""Files that training writes once."""

WRITTEN_AGAIN = (
    "checkpoints/last.safetensors",
    "checkpoints/best.safetensors",
    "linear.safetensors",
    "tensorboard/events*",
    "history.csv",
    "curves.png",
    "predictions.csv",
    "validation.csv",
    "confusion-emotion.png",
    "confusion.png",
    "reliability.png",
    "scatter.png",
    "metrics.json",
    "explanation.json",
    "importance.png",
    "attention.png",
    "README.md",
    "folds.png",
    "summary.json",
    "summary.txt",
    "report.html",
    "search-result.json",
    "search.txt",
    "search.html",
    "matrix.csv",
    "matrix.png",
    "fold-*/run.json",
    "fold-*/split.json",
    "cell-*/run.json",
    "cell-*/split.json",
)
"""Files that a resumed run, series or matrix writes again. Those of folds and cells reveal that one was
exchanged."""

PARTS = ("fold-*", "cell-*")
"""Folders of the runs of a series or matrix."""

DRAWN = (
    "curves.png",
    "confusion-emotion.png",
    "confusion.png",
    "reliability.png",
    "scatter.png",
    "importance.png",
    "attention.png",
    "README.md",
    "report.html",
)
"""Files of a run that are written for people, after its result."""

RESUMED_FROM = "checkpoints/last.safetensors"
"""The one of them that a resumed run starts from."""

_MOST_DOCUMENT = 2**24
_SHOWN = 12
"""Characters of a hash that a message shows."""


class _Hashes(Model):
    """Content of ``hashes.json``, before its seal."""

    format: Literal[1] = 1
    files: dict[str, StoredObject]
    """By path within the folder, with ``/``."""


@dataclass(frozen=True)
class Difference:
    """A file of a run that is not what ``hashes.json`` announces; ``found`` None: it is missing."""

    folder: Path
    name: str
    announced: StoredObject
    found: StoredObject | None

    @property
    def what(self) -> str:
        """What is wrong with the file: ``has SHA-256 0a1b2c3d4e5f…, but hashes.json announces …``."""
        if self.found is None:
            return f"is missing, but {HASHES} lists it"
        return (
            f"has SHA-256 {self.found.sha256[:_SHOWN]}…, but {HASHES} announces "
            f"{self.announced.sha256[:_SHOWN]}…"
        )

    @property
    def is_written_again(self) -> bool:
        """Whether resuming the run writes the file again: a fold only if there is none in its place."""
        of_fold = _matches(self.name.split("/")[0], PARTS)
        return (
            _matches(self.name, WRITTEN_AGAIN)
            and self.name != RESUMED_FROM
            and not (of_fold and self.found is not None)
        )

    def to_error(self) -> RunError:
        """The error for a run that cannot be used because of this file."""
        again = (
            f"write it again with ser-train --resume {shlex.quote(str(self.folder))}"
            if self.is_written_again
            else "train again"
        )
        return RunError(f"{self.folder / self.name} {self.what}; restore it from a copy, or {again}")


def read_hashes(folder: Path) -> dict[str, StoredObject] | None:
    """Size and SHA-256 of each file that ``hashes.json`` lists; None if there is no such file.

    Raises :class:`RunError` if it is damaged.
    """
    path = folder / HASHES
    if not path.exists():
        return None
    try:
        if not path.is_file() or path.stat().st_size > _MOST_DOCUMENT:
            raise _damaged(path, "it is not a file of the expected size")
        body, intact = unseal(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    if not intact:
        raise _damaged(path, "its last line is not the hash of the rest")
    try:
        files = _Hashes.model_validate_json(body, strict=True).files
    except ValidationError as error:
        raise _damaged(path, first_problem(error)) from error
    for name in files:
        if not _is_within(name):
            raise _damaged(path, f"it lists {name[:100]!r}")
    return files


def differences(folder: Path) -> Iterator[Difference]:
    """Compare every listed file with its hash."""
    for name, announced in (read_hashes(folder) or {}).items():
        found = _hash_of(folder / name)
        if found != announced:
            yield Difference(folder, name, announced, found)


def require_intact(folder: Path) -> None:
    """Raise :class:`RunError` for the first file that is missing or not what ``hashes.json`` announces."""
    for difference in differences(folder):
        raise difference.to_error()


def require_resumable(folder: Path) -> list[str]:
    """Raise :class:`RunError` if a file from which training resumes is missing or has changed.

    Returns a sentence for each other file that has: it is written again.
    """
    remarks = []
    for difference in differences(folder):
        if not difference.is_written_again:
            raise difference.to_error()
        remarks.append(f"{folder / difference.name} {difference.what}; it is written again")
    return remarks


def is_listed(folder: Path, name: str) -> bool:
    """Whether ``name`` was written to its end: it is listed, or the folder is of a version without hashes."""
    files = read_hashes(folder)
    return files is None or name in files


def is_part(name: str) -> bool:
    """Whether a file of this name within a run or series was written by training."""
    return name in (HASHES, PUBLISHED) or _matches(name, (*PLANNED, *WRITTEN_AGAIN))


def write_planned(folder: Path, coming: Mapping[str, bytes]) -> None:
    """List the files that training starts from, and those in ``coming``, which are written next."""
    _write(folder, {**_hash_all(folder, PLANNED), **{k: StoredObject.of(v) for k, v in coming.items()}})


def take_out_results(folder: Path) -> None:
    """List only the files that training does not write again; does nothing for a folder without hashes."""
    files = read_hashes(folder)
    if files is not None and any(_matches(name, WRITTEN_AGAIN) for name in files):
        _write(folder, {k: v for k, v in files.items() if not _matches(k, WRITTEN_AGAIN)})


def write_hashes(folder: Path, *, without: Iterable[str] = ()) -> None:
    """List every file of a run or series, except ``without``. Earlier hashes of the plan are kept."""
    planned = {k: v for k, v in (read_hashes(folder) or {}).items() if not _matches(k, WRITTEN_AGAIN)}
    names = tuple(name for name in WRITTEN_AGAIN if name not in without)
    _write(folder, {**_hash_all(folder, PLANNED), **planned, **_hash_all(folder, names)})


def notes_on_hashes(folders: Iterable[Path]) -> list[str]:
    """A sentence for each run, or series or matrix with its runs, in which files lack hashes."""
    return [
        f"{folder} carries no hashes, because an older version trained it: damage to its files is not noticed"
        for folder in folders
        if not all((path / HASHES).is_file() for path in (folder, *runs_within(folder)))
    ]


def runs_within(folder: Path) -> list[Path]:
    """Folders of the runs of a series or matrix; none for a run."""
    return sorted(path.parent for part in PARTS for path in folder.glob(f"{part}/run.json"))


def hashes_bytes(files: Mapping[str, StoredObject]) -> bytes:
    """``hashes.json`` for these files, sealed."""
    document = _Hashes(files=dict(sorted(files.items())))
    return seal(json.dumps(document.model_dump(), indent=1, ensure_ascii=False))


def _write(folder: Path, files: Mapping[str, StoredObject]) -> None:
    write_durably(folder / HASHES, hashes_bytes(files))


def _hash_all(folder: Path, patterns: Iterable[str]) -> dict[str, StoredObject]:
    found = {}
    for pattern in patterns:
        for path in folder.glob(pattern):
            if (hashed := _hash_of(path)) is not None:
                found[path.relative_to(folder).as_posix()] = hashed
    return found


def _hash_of(path: Path) -> StoredObject | None:
    """Size and hash of a file; None if there is none. Raises :class:`RunError` if it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return StoredObject(bytes=file.tell(), sha256=digest)
    except OSError as error:
        raise _unreadable(path, error) from error


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_within(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def _unreadable(path: Path, error: OSError) -> RunError:
    step = "change its permissions" if isinstance(error, PermissionError) else "restore it from a copy"
    return RunError(f"cannot read {path}: {error.strerror or error}; {step}")


def _damaged(path: Path, what: str) -> RunError:
    return RunError(f"{path} is damaged ({what}); restore it from a copy, or train again")
