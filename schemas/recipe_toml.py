"""A recipe as the TOML text that gives the same recipe again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.recipe import Recipe
from schemas.spec import StoreSpec


def recipe_toml(recipe: Recipe) -> str:
    """Text that :func:`schemas.recipe.parse_recipe` reads as ``recipe``.

    Fields without a value are left out: TOML has none, and every field that may lack one then does, but for
    ``train.patience``, of which ``"none"`` says so.
    """
    values = recipe.model_dump(mode="json")
    if values["train"]["patience"] is None:
        values["train"]["patience"] = "none"
    return _text(values)


def store_toml(spec: StoreSpec, name: str) -> str:
    """A recipe called ``name`` whose store is that of ``spec``; seed, dtype and codec are options of a build.

    Its model is no part of a store; a recipe must name one.
    """
    parts = spec.model_dump(mode="json", include={"audio", "spectral", "features", "views"})
    return _text({"name": name, **parts, "model": {"name": "A"}})


def toml_value(value: Any) -> str:
    """A text, number, truth value, list or table of such on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON writes these as TOML has them, but for DEL, which a TOML text must not hold as it is.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")


def _text(values: Mapping[str, Any]) -> str:
    return "\n".join(_lines(values, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], parents: tuple[str, ...]) -> list[str]:
    """Plain values first, then tables under their headings."""
    lines, below = [], []
    for key, value in table.items():
        place = (*parents, key)
        if isinstance(value, Mapping):
            below += ["", f"[{'.'.join(place)}]", *_lines(value, place)]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                below += ["", f"[[{'.'.join(place)}]]", *_lines(item, place)]
        elif value is not None:
            lines.append(f"{key} = {toml_value(value)}")
    return [*lines, *below]
