"""Recipes: named TOML files that fix features, views, labels, model and training.

A shipped recipe is found by name, a user's own by path. Building uses the parts that determine
the store (:meth:`Recipe.store_spec`), training all of it.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from schemas.errors import SpecError, UnknownNameError, UsageError
from schemas.features import FeatureSpec
from schemas.labels import LABEL_SETS, Target
from schemas.model import Model
from schemas.spec import AudioSpec, SpectralSpec, StorageSpec, StoreSpec
from schemas.views import ViewSpec


class LabelsSpec(Model):
    """Which classes are learnt."""

    set: str = "common7"
    target: Target = Target.EMOTION

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.set not in LABEL_SETS:
            raise ValueError(f"unknown label set '{self.set}'; choose one of {', '.join(LABEL_SETS)}")
        return self


class ModelSpec(Model):
    """Which network is trained, by its short name (A, …)."""

    name: str


class SplitSpec(Model):
    """How clips are divided into training, validation and test sides."""

    protocol: Literal["speaker"] = "speaker"
    validation: float = Field(0.15, gt=0, lt=0.5)
    """Share of the speakers of each corpus and gender."""
    test: float = Field(0.15, gt=0, lt=0.5)
    """Share of the speakers of each corpus and gender."""


class TrainSpec(Model):
    """Optimiser, schedule and stopping rule."""

    views: tuple[int, ...] | None = None
    """View indices that training reads; null: all of the store's. Validation and test read view 0."""
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(200, ge=1)
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    """L2 penalty, added to the gradient (``torch.optim.Adam``)."""
    dropout: float = Field(0.3, ge=0, lt=1)
    patience: int = Field(5, ge=1)
    """Epochs in a row whose validation loss is not below all before, after which training stops."""
    lr_patience: int = Field(2, ge=0)
    """Epochs without a better validation loss that are borne; after one more the learning rate falls."""
    lr_factor: float = Field(0.5, gt=0, lt=1)


class Recipe(Model):
    """A system that can be built and trained end to end."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    description: str = ""
    audio: AudioSpec = AudioSpec()
    spectral: SpectralSpec = SpectralSpec()
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    views: tuple[ViewSpec, ...] = ()
    labels: LabelsSpec = LabelsSpec()
    where: str | None = None
    """Clips that are learnt from and tested on: a pandas query over the manifest; null: all."""
    model: ModelSpec
    split: SplitSpec = SplitSpec()
    train: TrainSpec = TrainSpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.store_spec()
        return self

    def store_spec(
        self, augment: int | None = None, seed: int = 0, storage: StorageSpec | None = None
    ) -> StoreSpec:
        """Specification of the store that this recipe needs, with its first ``augment`` views.

        Raises :class:`UsageError` where the recipe lists fewer views.
        """
        count = len(self.views) if augment is None else augment
        if not 0 <= count <= len(self.views):
            raise UsageError(
                f"--augment {count}: recipe '{self.name}' lists {len(self.views)} views; "
                f"give a number from 0 to {len(self.views)}"
            )
        return StoreSpec(
            audio=self.audio,
            spectral=self.spectral,
            features=self.features,
            views=self.views[:count],
            seed=seed,
            storage=storage or StorageSpec(),
        )


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package, sorted."""
    folder = resources.files("schemas") / "recipes"
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    )


def load_recipe(name_or_path: str) -> Recipe:
    """Recipe by the name of a shipped one, or from a TOML file.

    Raises :class:`UnknownNameError` for a name that is neither, :class:`SpecError` for a file that
    is not a valid recipe; the message names the first offending field.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UnknownNameError(
                f"cannot read recipe '{name_or_path}': {error.strerror or error}; "
                f"give a TOML file or one of {', '.join(shipped_recipes())}"
            ) from error
        except UnicodeDecodeError as error:
            raise SpecError(f"recipe '{name_or_path}' is not a UTF-8 text file") from error
    elif name_or_path in shipped_recipes():
        text = (resources.files("schemas") / "recipes" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        raise UnknownNameError(
            f"unknown recipe '{name_or_path}'; "
            f"choose one of {', '.join(shipped_recipes())} or give a .toml file"
        )
    return parse_recipe(text, name_or_path)


def parse_recipe(text: str, source: str) -> Recipe:
    """Recipe from TOML text; ``source`` names it in errors. Raises :class:`SpecError`."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"recipe '{source}' is not valid TOML: {error}") from error
    except ValidationError as error:
        raise SpecError(f"recipe '{source}': {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first complaint of a pydantic error as ``field: what is wrong (got value)``."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "as a whole"
    what = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    got = (
        ""
        if isinstance(value, dict) or problem["type"] in {"value_error", "missing"}
        else f" (got {value!r})"
    )
    return f"{where}: {what}{got}"
