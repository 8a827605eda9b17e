"""Verify runs and series: compare every file with the hash that was recorded when it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featurestore.format.documents import StoredObject
from schemas.errors import RunError
from training.loop.checkpoint import BEST, LAST, is_intact
from training.runs.hashes import differences, is_part, read_hashes, runs_within
from training.runs.matrix import MatrixFolder
from training.runs.request import resume_command
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder


@dataclass(frozen=True)
class DamagedFile:
    """A file that is missing or has changed: its path, and what is wrong with it."""

    file: Path
    detail: str


@dataclass(frozen=True)
class RunVerification:
    """The result of verifying a run, or a series or matrix with its runs; ``ok`` if nothing was found."""

    path: Path
    files: int
    """Files with a hash, those of all folds or cells included."""
    bytes: int
    findings: tuple[DamagedFile, ...]
    strangers: tuple[Path, ...]
    """Other files in the folder, such as notes."""

    @property
    def ok(self) -> bool:
        """Whether every file is there and as it was written."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "run": str(self.path),
            "ok": self.ok,
            "files": self.files,
            "bytes": self.bytes,
            "findings": [{"file": str(found.file), "detail": found.detail} for found in self.findings],
            "strangers": [str(path) for path in self.strangers],
        }


def verify_run(path: Path) -> RunVerification:
    """Compare every file of a run, or of a series or matrix and its runs, with its hash.

    Checkpoints of a run that is not finished have a hash of their own, which is compared too. Raises
    :class:`RunError` if ``path`` is none of them, or if it or one of its runs carries no hashes.
    """
    folders = [path]
    if SeriesFolder.is_one(path) or MatrixFolder.is_one(path):
        folders += runs_within(path)
    else:
        RunFolder.find(path)
    parts = [_verify_folder(folder) for folder in folders]
    return RunVerification(
        path,
        sum(part.files for part in parts),
        sum(part.bytes for part in parts),
        tuple(found for part in parts for found in part.findings),
        tuple(stranger for part in parts for stranger in part.strangers),
    )


def _verify_folder(folder: Path) -> RunVerification:
    files = read_hashes(folder)
    if files is None:
        raise RunError(
            f"{folder} carries no hashes: an older version trained it; resume it once to write them: "
            f"{resume_command(folder, None)}"
        )
    findings = [DamagedFile(found.folder / found.name, found.what) for found in differences(folder)]
    count, size = len(files), sum(entry.bytes for entry in files.values())
    for path in (RunFolder(folder).checkpoints / name for name in (LAST, BEST)):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            count, size = count + 1, size + path.stat().st_size
            if not is_intact(path):
                findings.append(DamagedFile(path, "was changed since it was written"))
    return RunVerification(folder, count, size, tuple(findings), tuple(_strangers(folder, files)))


def _strangers(folder: Path, files: Mapping[str, StoredObject]) -> Iterator[Path]:
    """Files in the folder that are not part of the run; those of folds are verified with their fold."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        of_fold = (folder / name.parts[0] / "run.json").is_file()
        known = name.as_posix() in files or is_part(name.as_posix())
        if path.is_file() and not (hidden or of_fold or known):
            yield path
