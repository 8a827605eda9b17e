"""Options of the trainer's commands as changes of a recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.defaults import DEFAULT_RECIPE
from schemas.errors import UsageError
from schemas.features import FEATURE_KINDS
from schemas.imported import require_imported_name
from schemas.known_encoders import KNOWN_ENCODERS
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from schemas.recipe_toml import toml_value
from training.runs.request import STEPS, MatrixRequest, Step

_VIEWS = re.compile(r"\s*([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?\s*")


@dataclass(frozen=True)
class Options:
    """Options of a command line that change a recipe; None: not given."""

    recipe: str | None = None
    model: str | None = None
    features: str | None = None
    datasets: str | None = None
    views: str | None = None
    where: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    protocol: str | None = None
    train_on: str | None = None
    test_on: str | None = None
    leak_views: bool = False
    matrix: bool = False
    steps: str | None = None
    set: Sequence[str] = ()

    @property
    def given(self) -> dict[str, object]:
        """Fields that differ from their defaults, with their values."""
        defaults = asdict(Options())
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    @property
    def given_names(self) -> tuple[str, ...]:
        """Names of the options that were given, such as ``--batch-size``."""
        return tuple(f"--{name.replace('_', '-')}" for name in self.given)

    def recipe_name(self) -> str:
        """The recipe given; else the shipped recipe of the model given; else the default recipe.

        Raises :class:`UsageError` if several shipped recipes have that model.
        """
        if self.recipe is not None:
            return self.recipe
        if self.model is not None:
            found = [name for name in shipped_recipes() if load_recipe(name).model.name == self.model]
            if len(found) > 1:
                raise UsageError(
                    f"several recipes have the model {self.model}; choose one with --recipe: "
                    f"{', '.join(found)}"
                )
            if found:
                return found[0]
        return DEFAULT_RECIPE

    def matrix_request(self, *, fold: int | None, split: Path | None) -> MatrixRequest | None:
        """The matrix to train; None: none.

        Raises :class:`UsageError` for options that choose a single split, or unknown steps.
        """
        if not self.matrix:
            if self.steps is not None:
                raise UsageError("--steps compares cells of a matrix; add --protocol cross-corpus --matrix")
            return None
        if self.protocol not in {None, "cross-corpus"}:
            raise UsageError(
                f"--matrix is of the protocol cross-corpus, not {self.protocol}; leave out --protocol"
            )
        others = {
            "--train-on": self.train_on,
            "--test-on": self.test_on,
            "--leak-views": self.leak_views or None,
            "--fold": fold,
            "--split": split,
        }
        if given := [name for name, value in others.items() if value is not None]:
            raise UsageError(
                f"--matrix tests every corpus against every other; leave out {', '.join(given)}, or choose "
                f"the corpora with --datasets"
            )
        return MatrixRequest(() if self.steps is None else _steps(self.steps))

    def changes(self, recipe: Recipe) -> tuple[str, ...]:
        """Fields of ``recipe`` to replace, as :func:`schemas.overrides.override` takes them.

        Raises :class:`UsageError` if views cannot be parsed.
        """
        given: tuple[tuple[str, object, Callable[[Any], str]], ...] = (
            ("model.name", None if self.model == recipe.model.name else self.model, str),
            ("features", self.features, lambda text: features_of(text, recipe)),
            ("datasets", self.datasets, lambda text: "null" if text == "all" else _names(text)),
            ("train.views", self.views, views_of),
            ("where", self.where, lambda text: json.dumps(text) if text else "null"),
            ("train.epochs", self.epochs, str),
            ("train.batch_size", self.batch_size, str),
            ("split.protocol", None if self.matrix else self.protocol, str),
            ("split.train_corpora", self.train_on, _names),
            ("split.test_corpora", self.test_on, _names),
            ("split.leak_views", "true" if self.leak_views else None, str),
        )
        changes = [f"{field}={written(value)}" for field, value, written in given if value is not None]
        return (*changes, *self.set)


def require_untouched(options: Sequence[str], **others: object) -> None:
    """Raise :class:`UsageError` if an option would change what a resumed run keeps."""
    given = [*options, *(f"--{name}" for name, value in others.items() if value is not None)]
    if given:
        raise UsageError(
            f"a resumed run keeps its own recipe, split, seed and folder; leave out {', '.join(given)}, or "
            "start a new run"
        )


def require_no_protocol(options: Sequence[str], fold: int | None) -> None:
    """Raise :class:`UsageError` if options choose a protocol although ``--split`` is given."""
    protocol = {"--protocol", "--train-on", "--test-on", "--leak-views"}
    given = [option for option in options if option in protocol]
    given += ["--fold"] if fold is not None else []
    if given:
        raise UsageError(f"--split already defines the sides; leave out {', '.join(given)}")


def features_of(text: str, recipe: Recipe) -> str:
    """The named features, as a recipe's ``features``: those of ``recipe`` as it has them.

    A name that this program does not know is an imported feature of the store, and so is one of openSMILE
    unless the store has computed it (:func:`training.plan.imported.as_computed`). Raises :class:`UsageError`
    for a name that no feature can have, or that is given twice.
    """
    names = [name.strip() for name in text.split(",")]
    listed = {feature.name: feature for feature in recipe.features}
    parts: list[dict[str, Any]] = []
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--features {text}: name each feature once")
        if name in listed:
            parts.append(listed[name].model_dump(mode="json", exclude_none=True))
        elif name in FEATURE_KINDS:
            parts.append({"kind": name})
        elif name in KNOWN_ENCODERS:
            parts.append({"kind": "encoder", "name": name})
        else:
            try:
                require_imported_name(name)
            except ValueError as error:
                raise UsageError(f"--features {text}: {error}") from error
            parts.append({"kind": "imported", "name": name})
    return toml_value(parts)


def views_of(text: str) -> str:
    """``all``, or view indices from ``0``, ``0,3`` or ``0-6``, as a recipe's ``train.views`` has them.

    Raises :class:`UsageError` for any other text.
    """
    if text == "all":
        return "null"
    how = "write all, or view indices such as 0 or 0,2-4"
    indices: list[int] = []
    for part in text.split(","):
        found = _VIEWS.fullmatch(part)
        if not found:
            raise UsageError(f"--views {text}: {how}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UsageError(f"--views {text}: {part.strip()} is descending; {how}")
        indices += range(first, last + 1)
    if len(set(indices)) < len(indices):
        raise UsageError(f"--views {text}: name each view once")
    return str(indices)


def _steps(text: str) -> tuple[Step, ...]:
    """Steps of a matrix from ``normalise,balance``."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in STEPS or names.count(name) > 1:
            raise UsageError(f"--steps {text}: name each of {' and '.join(STEPS)} at most once")
    return tuple(step for step in STEPS if step in names)


def _names(text: str) -> str:
    return json.dumps([name.strip() for name in text.split(",")])
