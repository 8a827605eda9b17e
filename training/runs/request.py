"""What is asked of a training, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.recipe import Recipe

Home = Literal["device", "ram", "stream"]
"""Where samples are kept: on the training device, in memory, or in the store until they are needed."""

LoaderChoice = Literal["auto"] | Home
"""A home, or the fastest that has room."""


@dataclass(frozen=True)
class Hardware:
    """What trains, and what it may take; a resumed run may be given other hardware."""

    device: Literal["auto", "cpu", "cuda"] | None = None
    """``auto`` where it is None and the run is new."""
    loader: LoaderChoice = "auto"
    memory: int | None = None
    """Bytes that samples may take of the machine's memory; None: half of what is free."""
    cuda_graphs: bool = False
    """Record steps as CUDA graphs where one GPU trains."""
    save_every: float = 300.0
    """Seconds after which a training is saved within an epoch too."""


@dataclass(frozen=True)
class TrainRequest:
    """What to train. None: as the recipe, or the resumed run, has it.

    ``recipe`` and ``store`` are required for a new run. A resumed run keeps its own recipe, split, overrides,
    seed and threads; it finds its store by itself where that was given as a relative path.
    """

    store: str | Path | None = None
    """A folder or a URL."""
    recipe: Recipe | None = None
    recipe_source: str | None = None
    """Name or file of the recipe, for messages; its name where it is None."""
    changes: tuple[str, ...] = ()
    """Fields of the recipe to replace, ``train.lr=3e-4``: :func:`schemas.overrides.override`."""
    fold: int | None = None
    """Which split of a protocol that has several, from 1; None: the only one."""
    split: Path | None = None
    """A split that was written down, instead of the recipe's protocol."""
    seed: int | None = None
    """0 where it is None and the run is new."""
    output: Path | None = None
    """Folder under which a new run gets its folder; ``runs`` where it is None."""
    name: str | None = None
    """Name of the new run's folder; made of time, recipe and protocol where it is None."""
    resume: Path | None = None
    """Folder of the run to go on with."""
    hardware: Hardware = Hardware()
