"""A series: one run for each fold of a protocol, and their summary.

::

    runs/20260131-140501-ravdess-attention-emobox/
      series.json                 resolved recipe, names of the folds, store digest, seed
      fold-1/  fold-2/  …         one run folder each
      predictions.csv             every test clip of all folds
      summary.json  summary.txt  README.md  folds.png  confusion.png
      report.html                 all of it on one page, with links to the page of each fold
      hashes.json                 size and SHA-256 of these files; each fold has its own

A fold with ``metrics.json`` is finished; any other fold is started or resumed. So a stopped series resumes
fold by fold, and within a fold.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from featurestore.places.durable import storage_errors, write_durably
from schemas.errors import RunError
from schemas.model import Model
from schemas.recipe import Recipe, first_problem
from training.runs.hashes import require_intact, write_planned
from training.runs.request import TrainRequest
from training.runs.run import create_folder
from training.runs.several import SeveralRuns

RECORD = "series.json"


class SeriesRecord(Model):
    """Content of ``series.json``; written once, before the first fold."""

    format: Literal[1] = 1
    created: str
    """UTC, ISO 8601."""
    recipe: Recipe
    """With the changes of the request applied and ``train.views`` listed."""
    recipe_source: str | None
    seed: int
    store: str | None
    """Path of the store as given, if relative; null: it was absolute."""
    store_digest: str
    folds: tuple[str, ...]


@dataclass(frozen=True)
class SeriesFolder(SeveralRuns):
    """The files of one series."""

    @classmethod
    def create(cls, root: Path, name: str, record: SeriesRecord) -> SeriesFolder:
        """Create a folder with its record, or leave none if the record cannot be written."""
        folder = cls(create_folder(root, name))
        try:
            with storage_errors(folder.path):
                content = f"{record.model_dump_json(indent=1)}\n".encode()
                write_planned(folder.path, {RECORD: content})
                write_durably(folder.path / RECORD, content)
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        return folder

    @classmethod
    def open(cls, path: Path) -> SeriesFolder:
        """Open an existing series and compare its own files with their hashes; its folds have their own.

        Raises :class:`RunError` for a file that has changed or is missing.
        """
        require_intact(path)
        return cls(path)

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether ``path`` is the folder of a series."""
        return (path / RECORD).is_file()

    def record(self) -> SeriesRecord:
        """Read ``series.json``. Raises :class:`RunError` if this version cannot read it."""
        path = self.path / RECORD
        try:
            return SeriesRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"{path}: {first_problem(error)}; start a new series") from error
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}") from error

    @property
    def unit(self) -> str:
        """``fold``."""
        return "fold"

    def names(self) -> tuple[str, ...]:
        """Names of the folds."""
        return self.record().folds

    def fold(self, number: int) -> Path:
        """Folder of fold ``number``, from 1."""
        return self.path / f"fold-{number}"

    def run(self, number: int) -> Path:
        """Folder of fold ``number``, from 1."""
        return self.fold(number)

    def new_request(self, number: int, request: TrainRequest) -> TrainRequest:
        """The request that starts one fold."""
        record = self.record()
        return TrainRequest(
            store=request.store or record.store,
            recipe=record.recipe,
            recipe_source=record.recipe_source,
            fold=number if len(record.folds) > 1 else None,
            seed=record.seed,
            output=self.path,
            name=self.fold(number).name,
            hardware=request.hardware,
            explain=request.explain,
        )
