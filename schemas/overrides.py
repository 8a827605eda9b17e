"""Fields of a recipe replaced by name: ``train.lr=3e-4``, ``model.hidden=64``, ``split.protocol=loso``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from schemas.architecture import named_model
from schemas.errors import UsageError
from schemas.nearest import did_you_mean
from schemas.recipe import Recipe, first_complaint, first_problem

NOTHING = "null"
"""What stands for no value, where a field can have none."""


def overridden(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """``recipe`` with fields replaced, checked as if all had been read from its file.

    A change is ``field.subfield=value``: the value as TOML has it, a bare word for a text, ``null`` for no
    value. ``model.name=B`` takes the whole model of that name, whatever the recipe's had. Later changes win.

    Raises :class:`UsageError` for a change that is none, a field that does not exist and a value that does
    not fit, :class:`UnknownNameError` for a model that is not known.
    """
    content = recipe.model_dump(mode="json")
    changes = tuple(changes)
    for change in changes:
        name, equals, text = change.partition("=")
        *parents, field = (part.strip() for part in name.split("."))
        if not equals or not field:
            raise UsageError(f"'{change}' sets nothing; write a field and its value, as train.lr=3e-4")
        at = content
        for parent in parents:
            inner = at.get(parent) if isinstance(at, dict) else None
            if not isinstance(inner, dict):
                raise UsageError(f"{change}: a recipe has no '{name.rpartition('.')[0]}'{_has(at)}")
            at = inner
        if not parents and isinstance(at.get(field), dict):
            raise UsageError(f"{change}: '{field}' has fields of its own{_has(at[field])}")
        value = _value(text.strip())
        if parents == ["model"] and field == "name":
            content["model"] = named_model({"name": value})
        elif field not in at:
            raise UsageError(f"{change}: a recipe has no '{name.strip()}'{_meant(field, at, content)}")
        else:
            at[field] = value
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise UsageError(_blamed(changes, error)) from error


def _blamed(changes: Sequence[str], error: ValidationError) -> str:
    """The complaint behind the change that it is about; else those of its part of the recipe; else all."""
    place = [str(part) for part in error.errors()[0]["loc"]]
    fields = {change: [part.strip() for part in change.partition("=")[0].split(".")] for change in changes}
    for change, field in fields.items():
        if field == place:
            return f"{change}: {first_complaint(error)}"
    near = [change for change, field in fields.items() if field[:1] == place[:1]]
    if near and len(place) == 1:
        return f"{', '.join(near)}: {first_complaint(error)}"
    return f"{', '.join(near or changes)}: {first_problem(error)}"


def _value(text: str) -> Any:
    if text == NOTHING:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _meant(field: str, at: dict[str, Any], content: dict[str, Any]) -> str:
    """What was meant by a field that is not there: one of another part, or the nearest; and all there are."""
    part = next((part for part, inner in content.items() if isinstance(inner, dict) and field in inner), None)
    if part is not None:
        return f"; did you mean {part}.{field}?"
    return f"; {did_you_mean(field, at)}{_has(at).removeprefix('; ')}"


def _has(at: object) -> str:
    return f"; it has {', '.join(sorted(at))}" if isinstance(at, dict) else ""
