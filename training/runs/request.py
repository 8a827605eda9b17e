"""Request for a training run, before anything is read."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from featurestore.format.outside import require_apart, require_outside
from featurestore.places.folder import Folder
from schemas.recipe import Recipe
from training.runs.run import SearchSummary

Step = Literal["normalise", "balance"]
"""A way to bring corpora closer together: normalise each by its own clips, or hear each equally often."""

STEPS: tuple[Step, ...] = ("normalise", "balance")

Home = Literal["device", "ram", "stream"]
"""Where samples are kept: on the training device, in memory, or in the store until they are needed."""

LoaderChoice = Literal["auto"] | Home
"""A home, or the fastest that has room."""


@dataclass(frozen=True)
class Hardware:
    """Hardware to train on and its limits; a resumed run may use other hardware."""

    device: Literal["auto", "cpu", "cuda"] | None = None
    """None: ``auto`` for a new run, the recorded device for a resumed one."""
    loader: LoaderChoice = "auto"
    memory: int | None = None
    """Bytes of memory that samples may use; None: half of the free memory."""
    cuda_graphs: bool = False
    """Record steps as CUDA graphs; needs a single GPU."""
    save_every: float = 300.0
    """Seconds between two saves within an epoch."""


@dataclass(frozen=True)
class Searched:
    """The search that chose the recipe, and what it knows about the validation clips.

    The model is trained on training and validation clips. ``held_out`` : safetensors with ``probabilities``
    (validation samples, classes) float64, each by a model without the clip's speaker; None: of a linear
    model, which is cross-validated for them when it is trained.
    """

    summary: SearchSummary
    held_out: Path | None = None


@dataclass(frozen=True)
class MatrixRequest:
    """A matrix to train: the cells that a step changes are trained again with it."""

    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class TrainRequest:
    """What to train. None: as in the recipe or the resumed run.

    A new run requires ``recipe`` and ``store``. A resumed run keeps its own recipe, split, overrides, seed
    and threads, and finds its store if that was given as a relative path.
    """

    store: str | Path | None = None
    """A folder or a URL."""
    recipe: Recipe | None = None
    recipe_source: str | None = None
    """Name or file of the recipe, for messages; None: the recipe's own name."""
    changes: tuple[str, ...] = ()
    """Fields of the recipe to replace, ``train.lr=3e-4``: :func:`schemas.overrides.override`."""
    fold: int | None = None
    """Number of the split in a protocol with several, from 1; None: the only one."""
    split: Path | None = None
    """File of a split to use instead of the recipe's protocol."""
    matrix: MatrixRequest | None = None
    """Train every corpus against every other, instead of the recipe's protocol; None: no matrix."""
    seed: int | None = None
    """None: 0 for a new run."""
    output: Path | None = None
    """Folder in which to create the new run's folder; None: ``runs``."""
    name: str | None = None
    """Name of the new run's folder; None: made from time, recipe and protocol."""
    resume: Path | None = None
    """Folder of the run to resume."""
    searched: Searched | None = None
    """None: the recipe was given."""
    hardware: Hardware = Hardware()
    explain: bool = False
    """Measure what the model listens to. A run that was explained before is explained again if resumed."""

    def require_outside_stores(self) -> None:
        """Raise :class:`UsageError` if the training would write into a feature store."""
        if self.resume is not None:
            require_apart(Folder(self.resume), "--resume")
        else:
            require_outside(self.output or Path("runs"), "--out")


def resume_command(folder: Path, store: str | Path | None, *, explain: bool = False) -> str:
    """Command that resumes the run or series in ``folder``; ``store`` None: it finds its own."""
    option = f" --store {shlex.quote(str(store))}" if store else ""
    return f"ser-train --resume {shlex.quote(str(folder))}{option}{' --explain' if explain else ''}"
