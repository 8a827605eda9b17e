"""A matrix: every corpus trained and tested against every other, one or more runs per cell.

::

    runs/20260131-140501-four-corpora-a-matrix/
      matrix.json                    resolved recipe, corpora, cells with their classes, store digest, seed
      cell-01-within-ravdess-fold-1/ …  one run folder per fold: speaker-independent within it
      cell-02-ravdess-to-tess/       one run folder
      summary.json  summary.txt  matrix.csv  matrix.png
      report.html                    all of it on one page, with links to the page of each run
      hashes.json                    size and SHA-256 of these files; each run has its own
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import ValidationError

from featurestore.places.durable import storage_errors, write_durably
from schemas.architecture import LinearSpec
from schemas.errors import RunError
from schemas.labels_spec import LabelsSpec
from schemas.model import Model
from schemas.overrides import override
from schemas.protocol import SplitSpec
from schemas.recipe import Recipe, first_problem
from training.runs.hashes import require_intact, write_planned
from training.runs.request import Step, TrainRequest
from training.runs.run import create_folder
from training.runs.several import SeveralRuns

RECORD = "matrix.json"

CHANGE_OF_STEP: Mapping[Step, str] = MappingProxyType(
    {"normalise": "input.normalise=corpus", "balance": "train.balance=corpus"}
)
"""The change of the recipe that each step is."""

CellKind = Literal["within", "pair", "rest"]
"""``within``: folds of speakers of one corpus; ``pair``: one corpus trained, another tested; ``rest``: all
other corpora trained."""


def changes_of(step: Step, recipe: Recipe) -> tuple[str, ...]:
    """Changes that make ``step`` part of ``recipe``.

    Linear models read functionals even if the recipe's representation is frames. It is then named, because
    frames cannot be normalised by corpus.
    """
    own = CHANGE_OF_STEP[step]
    linear = isinstance(recipe.model, LinearSpec) and recipe.input.representation == "frames"
    return ("input.representation=functionals", own) if linear and step == "normalise" else (own,)


class MatrixCell(Model):
    """One cell of a matrix, as planned."""

    kind: CellKind
    train: tuple[str, ...]
    """Corpora to train on, sorted; of ``within``, the tested one."""
    test: str
    """Corpus to test on."""
    step: Step | None = None
    """The step that the cell is trained with; null: as the recipe says."""
    labels: dict[str, str]
    """Emotion → class, of the classes that training and test share; empty if they share fewer than two."""
    folds: int
    """Number of runs; 0 if the cell is not trained."""
    refused: str | None = None
    """Why the cell is not trained."""
    remarks: tuple[str, ...] = ()
    """What else must be known about the cell."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Shared classes, in index order."""
        return tuple(dict.fromkeys(self.labels.values()))

    @property
    def name(self) -> str:
        """``within-ravdess``, ``ravdess-to-tess`` or ``rest-to-tess``, and the step."""
        step = "" if self.step is None else f"-{self.step}"
        match self.kind:
            case "within":
                return f"within-{self.test}{step}"
            case "pair":
                return f"{self.train[0]}-to-{self.test}{step}"
            case "rest":
                return f"rest-to-{self.test}{step}"

    def recipe(self, base: Recipe) -> Recipe:
        """``base`` for this cell: its corpora, its split, the shared classes and the step."""
        split = base.split.model_dump(include={"near_duplicates", "validation", "test"})
        labels = LabelsSpec(set="shared", map=self.labels, target=base.labels.target)
        corpora = tuple(sorted({*self.train, self.test}))
        if self.kind == "within":
            own = SplitSpec(protocol="kfold", folds=self.folds, **split)
        else:
            own = SplitSpec(
                protocol="cross-corpus", train_corpora=self.train, test_corpora=(self.test,), **split
            )
        recipe = base.model_copy(update={"labels": labels, "datasets": corpora, "split": own})
        return recipe if self.step is None else override(recipe, changes_of(self.step, recipe))


class MatrixRecord(Model):
    """Content of ``matrix.json``; written once, before the first cell."""

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
    corpora: tuple[str, ...]
    """Sorted."""
    steps: tuple[Step, ...]
    cells: tuple[MatrixCell, ...]

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Index of the cell, from 0, and number of the fold, from 1, of every run."""
        return tuple(
            (index, fold) for index, cell in enumerate(self.cells) for fold in range(1, cell.folds + 1)
        )


@dataclass(frozen=True)
class MatrixFolder(SeveralRuns):
    """The files of one matrix."""

    @classmethod
    def create(cls, root: Path, name: str, record: MatrixRecord) -> MatrixFolder:
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
    def open(cls, path: Path) -> MatrixFolder:
        """Open an existing matrix and compare its own files with their hashes; its runs have their own.

        Raises :class:`RunError` for a file that has changed or is missing.
        """
        require_intact(path)
        return cls(path)

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether ``path`` is the folder of a matrix."""
        return (path / RECORD).is_file()

    def record(self) -> MatrixRecord:
        """Read ``matrix.json``. Raises :class:`RunError` if this version cannot read it."""
        path = self.path / RECORD
        try:
            return MatrixRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"{path}: {first_problem(error)}; start a new matrix") from error
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}") from error

    @property
    def unit(self) -> str:
        """``run``."""
        return "run"

    def names(self) -> tuple[str, ...]:
        """Names of the runs: that of the cell, with the fold if it has several."""
        record = self.record()
        return tuple(_run_name(record.cells[index], fold) for index, fold in record.runs)

    def run(self, number: int) -> Path:
        """Folder of run ``number``, from 1."""
        record = self.record()
        index, fold = record.runs[number - 1]
        return self.run_of(record, index, fold)

    def run_of(self, record: MatrixRecord, index: int, fold: int) -> Path:
        """Folder of a fold, from 1, of the cell with this index, from 0."""
        return self.path / f"cell-{index + 1:02d}-{_run_name(record.cells[index], fold)}"

    def new_request(self, number: int, request: TrainRequest) -> TrainRequest:
        """The request that starts one run."""
        record = self.record()
        index, fold = record.runs[number - 1]
        cell = record.cells[index]
        return TrainRequest(
            store=request.store or record.store,
            recipe=cell.recipe(record.recipe),
            recipe_source=record.recipe_source,
            fold=fold if cell.folds > 1 else None,
            seed=record.seed,
            output=self.path,
            name=self.run_of(record, index, fold).name,
            hardware=request.hardware,
            explain=request.explain,
        )


def _run_name(cell: MatrixCell, fold: int) -> str:
    return cell.name if cell.folds == 1 else f"{cell.name}-fold-{fold}"
