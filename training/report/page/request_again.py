"""The options by which a recipe, as it was run, is asked for again, and where it differs from the shipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.errors import SerError
from schemas.overrides import NO_VALUE, override
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from schemas.recipe_toml import toml_value
from schemas.spec import StoreSpec
from training.runs.options import Options

_OF_THE_STORE = ("name", "description", "audio", "spectral", "features", "views")
"""Fields that no option of a training changes."""


class Difference(NamedTuple):
    """A field that is not as in the shipped recipe; values as TOML, ``null`` for none."""

    field: str
    shipped: str
    here: str


def as_asked(recipe: Recipe, store: StoreSpec) -> Recipe:
    """The recipe of a run with ``train.views`` as a recipe has it: null where it was all of the store's."""
    if recipe.train.views != tuple(range(len(store.view_names))):
        return recipe
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"views": None})})


def differences(recipe: Recipe) -> tuple[Difference, ...] | None:
    """What ``recipe`` has otherwise than the shipped one of its name; None where there is none such.

    Of another named model the name is told, and what it has otherwise than the model of that name.
    """
    shipped = _shipped(recipe)
    base = None if shipped is None else _with_model(shipped, recipe)
    if shipped is None or base is None:
        return None
    renamed = Difference("model.name", _text(shipped.model.name), _text(recipe.model.name))
    return (
        *((renamed,) if renamed.shipped != renamed.here else ()),
        *(Difference(field, _text(old), _text(new)) for field, old, new in _changed(base, recipe)),
    )


def options_of(recipe: Recipe) -> Options | None:
    """Options that make ``recipe`` of the shipped one of its name; None where it has to be a file.

    They were tried: what is returned gives an equal recipe.
    """
    shipped = _shipped(recipe)
    base = None if shipped is None else _with_model(shipped, recipe)
    if shipped is None or base is None:
        return None
    model = recipe.model.name if recipe.model.name != shipped.model.name else None
    values = {field: new for field, _, new in _changed(base, recipe)}
    options = Options(recipe=recipe.name, model=model, **_options(values, recipe))
    try:
        again = override(shipped, options.changes(shipped))
    except SerError:
        return None
    return options if again == recipe else None


def _with_model(shipped: Recipe, recipe: Recipe) -> Recipe | None:
    """``shipped`` with the named model of ``recipe``; None where there is no model of that name."""
    if recipe.model.name == shipped.model.name:
        return shipped
    try:
        return override(shipped, [f"model.name={recipe.model.name}"])
    except SerError:
        return None


def _changed(base: Recipe, recipe: Recipe) -> list[tuple[str, Any, Any]]:
    """Field, value in ``base`` and value in ``recipe``, of all that differ."""
    one, two = (dict(_flat(each.model_dump(mode="json"))) for each in (base, recipe))
    fields = dict.fromkeys((*one, *two))
    return [(field, one.get(field), two.get(field)) for field in fields if one.get(field) != two.get(field)]


def _shipped(recipe: Recipe) -> Recipe | None:
    """The shipped recipe that ``recipe`` is, or was changed from by options."""
    if recipe.name not in shipped_recipes():
        return None
    shipped = load_recipe(recipe.name)
    same = all(getattr(shipped, name) == getattr(recipe, name) for name in _OF_THE_STORE)
    return shipped if same else None


def _options(values: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Arguments of :class:`Options` for fields with their values: an option of its own where there is one."""
    split, found = recipe.split, dict[str, Any]()
    if values.keys() & {"split.protocol", "split.folds"}:
        found["protocol"] = split.shorthand
        values = {name: v for name, v in values.items() if name not in {"split.protocol", "split.folds"}}
    for name, option, written in (
        ("datasets", "datasets", lambda value: "all" if value is None else ",".join(value)),
        ("where", "where", lambda value: value or ""),
        ("train.views", "views", _ranges),
        ("train.epochs", "epochs", int),
        ("train.batch_size", "batch_size", int),
        ("split.train_corpora", "train_on", ",".join),
        ("split.test_corpora", "test_on", ",".join),
    ):
        if name in values:
            found[option] = written(values.pop(name))
    if values.get("split.leak_views") is True:
        found["leak_views"] = values.pop("split.leak_views")
    return {**found, "set": tuple(f"{name}={_text(value)}" for name, value in values.items())}


def _ranges(views: list[int] | None) -> str:
    """``0-2,5`` of the view indices 0, 1, 2 and 5, in their order."""
    if views is None:
        return "all"
    runs: list[list[int]] = []
    for view in views:
        if runs and view == runs[-1][-1] + 1:
            runs[-1].append(view)
        else:
            runs.append([view])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    return NO_VALUE if value is None else toml_value(value)
