"""Fields of a recipe replaced by name: ``train.lr=3e-4``, ``model.hidden=64``, ``split.protocol=loso``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from schemas.errors import UsageError
from schemas.files.toml_text import TomlError, parse_toml
from schemas.messages.nearest import did_you_mean
from schemas.named_models import named_model
from schemas.recipe import Recipe, first_complaint, first_problem

NO_VALUE = "null"
"""Written for "no value" in a field that may have none."""


def override(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """Replace fields of ``recipe`` and check the result like a recipe that is read from a file.

    A change is ``field.subfield=value``. The value is written as in TOML, a string also without quotes, and
    ``null`` means no value. ``model.name=B`` replaces the whole model. A feature or view is addressed by its
    name: ``features.mel.n_mels=64``. Later changes win.

    Raises :class:`UsageError` for a malformed change, an unknown field or an invalid value, and
    :class:`UnknownNameError` for an unknown model.
    """
    content = recipe.model_dump(mode="json")
    changes = tuple(changes)
    for change in changes:
        name, equals, text = change.partition("=")
        *parents, field = _steps(content, name)
        if not equals or not field:
            raise UsageError(f"'{change}' sets nothing; give a field and its value, such as train.lr=3e-4")
        at: Any = content
        for parent in parents:
            inner = _part(at, parent)
            if not isinstance(inner, dict | list):
                raise UsageError(f"{change}: a recipe has no '{'.'.join(parents)}'{_list_fields(at)}")
            at = inner
        if not isinstance(at, dict):
            raise UsageError(f"{change}: '{field}' has fields of its own{_list_fields(_part(at, field))}")
        if not parents and isinstance(at.get(field), dict):
            raise UsageError(f"{change}: '{field}' has fields of its own{_list_fields(at[field])}")
        value = _parse_value(text.strip())
        if parents == ["model"] and field == "name":
            content["model"] = named_model({"name": value})
        elif field not in at:
            raise UsageError(f"{change}: a recipe has no '{name.strip()}'{_suggest(field, at, content)}")
        else:
            at[field] = value
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise UsageError(_blame(changes, error)) from error


def _blame(changes: Sequence[str], error: ValidationError) -> str:
    """Message of ``error``, preceded by the change that caused it, or by all changes that may have."""
    location = [str(part) for part in error.errors()[0]["loc"]]
    fields = {change: [part.strip() for part in change.partition("=")[0].split(".")] for change in changes}
    for change, field in fields.items():
        if field == location:
            return f"{change}: {first_complaint(error)}"
    near = [change for change, field in fields.items() if field[:1] == location[:1]]
    if near and len(location) == 1:
        return f"{', '.join(near)}: {first_complaint(error)}"
    return f"{', '.join(near or changes)}: {first_problem(error)}"


def _parse_value(text: str) -> Any:
    if text == NO_VALUE:
        return None
    try:
        return parse_toml(f"value = {text}")["value"]
    except TomlError:
        return text


def _suggest(field: str, at: dict[str, Any], content: dict[str, Any]) -> str:
    """Suggestion for an unknown field: one of another section, or the closest name and all fields."""
    part = next((part for part, inner in content.items() if isinstance(inner, dict) and field in inner), None)
    if part is not None:
        return f"; did you mean {part}.{field}?"
    return f"; {did_you_mean(field, at)}{_list_fields(at).removeprefix('; ')}"


def _steps(content: object, name: str) -> list[str]:
    """Parts of a dotted name; the name of a feature or view is one part, even if it has dots."""
    at, steps, rest = content, [], [part.strip() for part in name.split(".")]
    while rest:
        lengths = range(len(rest), 1, -1) if isinstance(at, list) else ()
        count = next((n for n in lengths if _part(at, ".".join(rest[:n])) is not None), 1)
        steps.append(".".join(rest[:count]))
        at, rest = _part(at, steps[-1]), rest[count:]
    return steps


def _part(at: object, name: str) -> Any:
    """The section of that name, or the feature or view; None if there is none."""
    if isinstance(at, dict):
        return at.get(name)
    return next((each for each in at if _name_of(each) == name), None) if isinstance(at, list) else None


def _name_of(part: object) -> object:
    """Name of a feature or view; most features are named after their kind."""
    return part.get("name", part.get("kind")) if isinstance(part, dict) else None


def _list_fields(at: object) -> str:
    names = [*at] if isinstance(at, dict) else [_name_of(each) for each in at] if isinstance(at, list) else []
    return f"; it has {', '.join(sorted(map(str, names)))}" if names else ""
