"""Writes a recipe as TOML text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.recipe import Recipe
from schemas.spec import StoreSpec


def recipe_toml(recipe: Recipe) -> str:
    """TOML text that :func:`schemas.recipe.parse_recipe` reads as ``recipe``.

    TOML has no null, so fields without a value are omitted and read back as null. ``train.patience`` has a
    default other than null and is written as ``"none"``.
    """
    values = recipe.model_dump(mode="json")
    if values["train"]["patience"] is None:
        values["train"]["patience"] = "none"
    return _text(values)


def store_toml(spec: StoreSpec, name: str) -> str:
    """TOML text of a recipe called ``name`` for a store with ``spec``.

    Seed, dtype and codec are options of a build, not part of the recipe. The model does not affect the store,
    but a recipe must name one.
    """
    parts = spec.model_dump(mode="json", include={"audio", "spectral", "features", "views"})
    return _text({"name": name, **parts, "model": {"name": "A"}})


def toml_value(value: Any) -> str:
    """A string, number, boolean, or a list or table of these, on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON and TOML write these alike, except DEL, which TOML requires to be escaped.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")


def _text(values: Mapping[str, Any]) -> str:
    return "\n".join(_lines(values, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], parents: tuple[str, ...]) -> list[str]:
    """Lines of a table: plain values first, then tables under their headers."""
    lines, below = [], []
    for key, value in table.items():
        name = ".".join((*parents, key))
        if isinstance(value, Mapping):
            below += ["", f"[{name}]", *_lines(value, (*parents, key))]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                below += ["", f"[[{name}]]", *_lines(item, (*parents, key))]
        elif value is not None:
            lines.append(f"{key} = {toml_value(value)}")
    return [*lines, *below]
