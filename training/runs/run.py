"""Run folders: everything about one training run, enough to resume it and predict with it.

::

    runs/20260131-140501-four-corpora-a-speaker/
      run.json                    resolved recipe, store digest and specification, seed, classes, versions
      split.json  audit.json      clips of each side with their recordings' hashes; check for leaks
      normalisation.safetensors   offset and scale of every coefficient, over the training clips
      checkpoints/                last.safetensors, best.safetensors; of a linear model linear.safetensors
      history.csv  curves.png  tensorboard/
      metrics.json  predictions.csv   results, and the prediction for every test clip
      validation.csv              the same for every validation clip
      confusion-emotion.png  confusion.png  reliability.png; of a regression scatter.png
      README.md                   model card
      report.html                 all of it on one page
      hashes.json                 size and SHA-256 of each of these files
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from featurestore.format.layout import STORE_JSON
from featurestore.format.outside import require_outside
from featurestore.places.durable import storage_errors, write_durably
from schemas.errors import RunError, UsageError
from schemas.model import Model
from schemas.recipe import Recipe, first_problem
from schemas.spec import StoreSpec
from training.runs.hashes import require_intact, write_planned
from training.splits.split_document import ValidationBy

PAGE = "report.html"
"""Self-contained page of a run or series."""

VALIDATION = "validation.csv"
"""Predictions for the validation clips of a run."""

_RECORDED_LIBRARIES = ("ser-features", "torch", "lightning", "numpy", "pandas", "scikit-learn", "zarr")

_ROWS = re.compile(r"\[\n\s*-?\d+(?:,\n\s*-?\d+)*\n\s*\]")
"""A list of whole numbers as ``json.dumps`` indents it; no JSON string has a line break in it."""


class DimensionScale(Model):
    """A dimension that a model learns, and how its values are standardised."""

    name: str
    mean: float
    """Over the training clips."""
    deviation: float = Field(gt=0)
    """Population standard deviation over the training clips."""


class SearchSummary(Model):
    """The search that chose the recipe of a run; the run is trained on training and validation clips."""

    trials: int
    configurations: int
    """Different configurations among the trials."""
    inner_folds: int
    """Folds of the training and validation clips, over which the objective is averaged."""
    validation_ua: float
    """Objective of the best configuration: mean UA of the held-out clips of the inner folds, 0…1."""
    held_out_by: ValidationBy = "speaker"
    """What the models of the validation figures have not heard of a clip."""


class RunRecord(Model):
    """Content of ``run.json``; written once, before training starts."""

    format: Literal[2] = 2
    created: str
    """UTC, ISO 8601."""
    recipe: Recipe
    """As trained: with the overrides of the request applied and ``train.views`` listed."""
    seed: int
    device: Literal["cpu", "cuda"]
    threads: int
    """CPU threads: another number changes the order of sums."""
    store: str | None
    """Path of the store as given, if relative; null: it was absolute."""
    store_digest: str
    store_spec: StoreSpec
    features: tuple[str, ...]
    """In the order in which they are stacked."""
    classes: tuple[str, ...]
    """In index order; empty for a regression."""
    dimensions: tuple[DimensionScale, ...] = ()
    """Dimensions of a regression, in the order of the model's outputs; empty for classes."""
    heard: tuple[str, ...]
    """Speakers of the training and validation sides; results on others are speaker-independent."""
    versions: dict[str, str]
    searched: SearchSummary | None = None
    """Null: the recipe was given, and the model is trained on the training side."""

    @property
    def configurations(self) -> int | None:
        """Configurations that the recipe was chosen among; None: it was given."""
        return None if self.searched is None else self.searched.configurations

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the model's outputs: its classes, or its dimensions."""
        return self.classes or tuple(scale.name for scale in self.dimensions)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, by name."""

    path: Path

    @classmethod
    def create(cls, root: Path, name: str) -> RunFolder:
        """Create an empty folder ``name`` in ``root``, or ``name-2`` and so on if it exists."""
        folder = cls(create_folder(root, name))
        with storage_errors(root):
            folder.checkpoints.mkdir()
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run and compare its files with their hashes.

        Raises :class:`RunError` if ``path`` is not a run, or for a file that has changed or is missing.
        """
        folder = cls.find(path)
        require_intact(path)
        return folder

    @classmethod
    def find(cls, path: Path) -> RunFolder:
        """The folder of an existing run, whatever its files hold. Raises :class:`RunError` if it is none."""
        if (path / "series.json").is_file():
            raise RunError(f"{path} is a series of folds; give the folder of one, such as {path / 'fold-1'}")
        if (path / "matrix.json").is_file():
            runs = sorted(path.glob("cell-*/run.json"))
            one = f"give the folder of one run, such as {runs[0].parent}" if runs else "resume it first"
            raise RunError(f"{path} is a cross-corpus matrix; {one}")
        if not (path / "run.json").is_file():
            runs = sorted(path.glob("*/run.json"))
            step = (
                f"it contains runs: give one, such as {runs[-1].parent}"
                if runs
                else "give a folder that ser-train created"
            )
            if (path / STORE_JSON).is_file():
                step = "it is a feature store; pass it as --store"
            raise RunError(f"{path} is not a run folder (it has no run.json); {step}")
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        """Folder of ``last.safetensors`` and ``best.safetensors``."""
        return self.path / "checkpoints"

    @property
    def normalisation(self) -> Path:
        """Offset and scale, safetensors."""
        return self.path / "normalisation.safetensors"

    @property
    def held_out(self) -> Path:
        """Predictions for the validation clips by models of a search, safetensors."""
        return self.path / "held-out.safetensors"

    @property
    def linear(self) -> Path:
        """The linear classifier, safetensors, if the run fits one."""
        return self.path / "linear.safetensors"

    def record(self) -> RunRecord:
        """Read ``run.json``. Raises :class:`RunError` if this version cannot read it."""
        try:
            return RunRecord.model_validate_json((self.path / "run.json").read_bytes())
        except ValidationError as error:
            raise RunError(f"{self.path / 'run.json'}: {first_problem(error)}; start a new run") from error
        except OSError as error:
            raise RunError(f"cannot read {self.path / 'run.json'}: {error.strerror or error}") from error

    def write_record(self, record: RunRecord) -> None:
        """Write ``run.json``, after which the run can be resumed; and before it the hashes of all files."""
        content = f"{record.model_dump_json(indent=1)}\n".encode()
        write_planned(self.path, {"run.json": content})
        self.write_bytes("run.json", content)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write ``value``, indented, as ``name``; lists of whole numbers, as of a matrix, on one line."""
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        self.write_text(
            name, _ROWS.sub(lambda row: f"[{', '.join(re.findall(r'-?[0-9]+', row[0]))}]", text) + "\n"
        )

    def read_json(self, name: str) -> Any:
        """Read ``name``. Raises :class:`RunError` if it is missing or not JSON."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read {self.path / name} ({error}); start a new run") from error

    def write_text(self, name: str, text: str) -> None:
        """Write ``text`` as UTF-8."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write ``content`` atomically: after a crash the file holds the old content or the new."""
        write_durably(self.path / name, content)


def run_name(created: str, recipe: Recipe, protocol: str, requested: Recipe | None = None) -> str:
    """Name of a run's folder: ``20260131-140501-four-corpora-a-speaker``.

    The model's name is added if it differs from that of the ``requested`` recipe:
    ``20260131-140501-four-corpora-a-functionals-speaker``.
    """
    own = requested is None or requested.model.name == recipe.model.name
    what = recipe.name if own else f"{recipe.name}-{recipe.model.name}"
    return f"{datetime.fromisoformat(created):%Y%m%d-%H%M%S}-{what}-{protocol}"


def create_folder(root: Path, name: str) -> Path:
    """Create an empty folder ``name`` in ``root``, or ``name-2`` and so on if it exists.

    Raises :class:`StorageError` if it cannot be created and :class:`UsageError` if it is in a feature store.
    """
    require_outside(root, "--out")
    require_outside(root / name, "--out")
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        for attempt in count(1):
            folder = root / (name if attempt == 1 else f"{name}-{attempt}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    raise AssertionError  # count() has no end


def now() -> str:
    """UTC to the second, ISO 8601."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that determine results."""
    versions = {"python": platform.python_version()}
    for name in _RECORDED_LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def require_once(runs: Sequence[Path]) -> None:
    """Raise :class:`UsageError` if a run is given twice: it would count twice in the mean."""
    resolved = [path.resolve() for path in runs]
    twice = [path for path, target in zip(runs, resolved, strict=True) if resolved.count(target) > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice; give each run once")
