"""Options of the trainer's commands as changes of a recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from schemas.defaults import DEFAULT_RECIPE
from schemas.errors import UsageError
from schemas.recipe import Recipe, load_recipe, shipped_recipes

_VIEWS = re.compile(r"\s*([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?\s*")


@dataclass(frozen=True)
class Options:
    """What a command line says about a recipe; None: nothing."""

    recipe: str | None = None
    model: str | None = None
    datasets: str | None = None
    views: str | None = None
    where: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    protocol: str | None = None
    train_on: str | None = None
    test_on: str | None = None
    leak_views: bool = False
    set: Sequence[str] = ()

    @property
    def given(self) -> tuple[str, ...]:
        """The options that were used, as ``--batch-size``."""
        used = [each.name for each in fields(self) if getattr(self, each.name) != each.default]
        return tuple(f"--{name.replace('_', '-')}" for name in used)

    def recipe_name(self) -> str:
        """The recipe named; else the shipped one whose model is named; else the default one."""
        if self.recipe is not None:
            return self.recipe
        if self.model is not None:
            for name in shipped_recipes():
                if load_recipe(name).model.name == self.model:
                    return name
        return DEFAULT_RECIPE

    def changes(self, recipe: Recipe) -> tuple[str, ...]:
        """Fields of ``recipe`` to replace, as :func:`schemas.overrides.override` takes them.

        Raises :class:`UsageError` for views that cannot be read.
        """
        said: tuple[tuple[str, object, Callable[[Any], str]], ...] = (
            ("model.name", None if self.model == recipe.model.name else self.model, str),
            ("datasets", self.datasets, lambda text: "null" if text == "all" else _names(text)),
            ("train.views", self.views, views_of),
            ("where", self.where, lambda text: json.dumps(text) if text else "null"),
            ("train.epochs", self.epochs, str),
            ("train.batch_size", self.batch_size, str),
            ("split.protocol", self.protocol, str),
            ("split.train_corpora", self.train_on, _names),
            ("split.test_corpora", self.test_on, _names),
            ("split.leak_views", "true" if self.leak_views else None, str),
        )
        changes = [f"{field}={written(value)}" for field, value, written in said if value is not None]
        return (*changes, *self.set)


def require_untouched(options: Sequence[str], **others: object) -> None:
    """Raise :class:`UsageError` where any option is used beside ``--resume`` that a run keeps to itself."""
    given = [*options, *(f"--{name}" for name, value in others.items() if value is not None)]
    if given:
        raise UsageError(
            f"a resumed run keeps its own recipe, split, seed and folder; leave out {', '.join(given)}, or "
            "start a new run"
        )


def require_no_protocol(options: Sequence[str], fold: int | None) -> None:
    """Raise :class:`UsageError` where options choose a protocol beside ``--split``."""
    protocol = {"--protocol", "--train-on", "--test-on", "--leak-views"}
    given = [option for option in options if option in protocol]
    given += ["--fold"] if fold is not None else []
    if given:
        raise UsageError(f"--split gives the sides itself; leave out {', '.join(given)}")


def views_of(text: str) -> str:
    """``all``, or view indices from ``0``, ``0,3`` or ``0-6``, as a recipe's ``train.views`` has them.

    Raises :class:`UsageError` for other text.
    """
    if text == "all":
        return "null"
    how = "write all, or view indices as 0 or 0,2-4"
    indices: list[int] = []
    for part in text.split(","):
        found = _VIEWS.fullmatch(part)
        if not found:
            raise UsageError(f"--views {text}: {how}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UsageError(f"--views {text}: {part.strip()} runs backwards; {how}")
        indices += range(first, last + 1)
    if len(set(indices)) < len(indices):
        raise UsageError(f"--views {text}: name each view once")
    return str(indices)


def _names(text: str) -> str:
    return json.dumps([name.strip() for name in text.split(",")])
