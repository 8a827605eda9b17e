"""The folder of a search: that of a series, with the space and the trials.

::

    runs/20260131-140501-ravdess-functionals-emobox-search/
      series.json                 recipe as given, names of the folds, store digest, seed
      search.json                 space, number of trials, inner folds
      trials.sqlite               every trial that has ended, for Optuna; one study per fold
      held-out-1.safetensors  …   of a network: predictions for the validation clips by models of inner folds
      fold-1/  fold-2/  …         the best configuration of each fold, trained and tested once
      search-result.json  search.txt  search.html
                                  and the summary of the series
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from featurestore.places.durable import storage_errors, write_durably
from schemas.errors import RunError
from schemas.model import Model
from schemas.recipe import first_problem
from schemas.search_space import SearchSpace
from training.runs.hashes import is_listed, write_planned
from training.runs.series import RECORD as SERIES_RECORD
from training.runs.series import SeriesFolder, SeriesRecord

RECORD = "search.json"
RESULT = "search-result.json"


class SearchRecord(Model):
    """Content of ``search.json``; written once, before the first trial."""

    format: Literal[1] = 1
    space: SearchSpace
    space_source: str
    """Name or file of the space."""
    trials: int = Field(ge=1)
    """Per fold of the protocol."""
    inner_folds: int = Field(ge=1)
    splits: tuple[str, ...]
    """Hash of the split of each fold."""
    fold: int | None = None
    """The only fold of the protocol that is searched; null: all."""


@dataclass(frozen=True)
class SearchFolder:
    """The files of one search."""

    path: Path

    @classmethod
    def create(cls, root: Path, name: str, series: SeriesRecord, search: SearchRecord) -> SearchFolder:
        """Create a folder with its records, or leave none if they cannot be written."""
        folder = cls(SeriesFolder.create(root, name, series).path)
        try:
            with storage_errors(folder.path):
                content = f"{search.model_dump_json(indent=1)}\n".encode()
                write_planned(folder.path, {RECORD: content})
                write_durably(folder.path / RECORD, content)
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        return folder

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether ``path`` is the folder of a search."""
        return (path / RECORD).is_file() and (path / SERIES_RECORD).is_file()

    @property
    def series(self) -> SeriesFolder:
        """The folder as that of a series."""
        return SeriesFolder(self.path)

    @property
    def trials(self) -> Path:
        """The file with the trials."""
        return self.path / "trials.sqlite"

    def held_out(self, number: int) -> Path:
        """Predictions for the validation clips of fold ``number``, from 1."""
        return self.path / f"held-out-{number}.safetensors"

    @property
    def is_finished(self) -> bool:
        """Whether the best configurations were tested and reported."""
        return (self.path / RESULT).is_file() and is_listed(self.path, RESULT)

    def record(self) -> SearchRecord:
        """Read ``search.json``. Raises :class:`RunError` if this version cannot read it."""
        path = self.path / RECORD
        try:
            return SearchRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"{path}: {first_problem(error)}; start a new search") from error
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}") from error


def find_unfinished(root: Path, series: SeriesRecord, search: SearchRecord) -> SearchFolder | None:
    """The unfinished search in ``root`` that these records describe, whenever it was started."""
    for path in sorted(root.glob(f"*/{RECORD}"), reverse=True):
        folder = SearchFolder(path.parent)
        try:
            same = folder.record() == search and folder.series.record() == series.model_copy(
                update={"created": folder.series.record().created}
            )
            if same and not folder.is_finished:
                return folder
        except RunError:  # of another version, or damaged: it is not this search
            continue
    return None
