"""The options that request a recipe again, and how it differs from the shipped recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from schemas.errors import SerError
from schemas.overrides import NO_VALUE, override
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from schemas.recipe_toml import toml_value
from schemas.spec import StoreSpec
from training.runs.options import Options

_OF_THE_STORE = {"name", "description", "audio", "spectral", "features", "views"}
"""Fields that no training option can change."""

_Option = TypeVar("_Option", str, int)


class RecipeDifference(NamedTuple):
    """A field that differs from the shipped recipe; values as TOML, ``null`` for none."""

    field: str
    shipped: str
    here: str


def as_requested(recipe: Recipe, store: StoreSpec) -> Recipe:
    """The recipe of a run as a user would write it: ``train.views`` is null if all views were used."""
    if recipe.train.views != tuple(range(len(store.view_names))):
        return recipe
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"views": None})})


def differences(recipe: Recipe) -> tuple[RecipeDifference, ...] | None:
    """Differences from the shipped recipe of the same name; None if there is no such recipe.

    If the model is another named one, its name is listed, and differences from the model of that name.
    """
    shipped = _shipped(recipe)
    base = None if shipped is None else _with_model(shipped, recipe)
    if shipped is None or base is None:
        return None
    renamed = RecipeDifference("model.name", _text(shipped.model.name), _text(recipe.model.name))
    return (
        *((renamed,) if renamed.shipped != renamed.here else ()),
        *(
            RecipeDifference(field, _text(old), _text(new))
            for field, old, new in _changed_fields(base, recipe)
        ),
    )


def options_of(recipe: Recipe) -> Options | None:
    """Options that turn the shipped recipe of this name into ``recipe``; None if that needs a file.

    The options are tried before they are returned.
    """
    shipped = _shipped(recipe)
    base = None if shipped is None else _with_model(shipped, recipe)
    if shipped is None or base is None:
        return None
    model = recipe.model.name if recipe.model.name != shipped.model.name else None
    options = _options({field: new for field, _, new in _changed_fields(base, recipe)}, recipe, model)
    try:
        again = override(shipped, options.changes(shipped))
    except SerError:
        return None
    return options if again == recipe else None


def _with_model(shipped: Recipe, recipe: Recipe) -> Recipe | None:
    """``shipped`` with the named model of ``recipe``; None if no model has that name."""
    if recipe.model.name == shipped.model.name:
        return shipped
    try:
        return override(shipped, [f"model.name={recipe.model.name}"])
    except SerError:
        return None


def _changed_fields(base: Recipe, recipe: Recipe) -> list[tuple[str, Any, Any]]:
    """Field, value in ``base`` and value in ``recipe`` of each field that differs."""
    one, two = (dict(_flat(each.model_dump(mode="json"))) for each in (base, recipe))
    fields = dict.fromkeys((*one, *two))
    return [(field, one.get(field), two.get(field)) for field in fields if one.get(field) != two.get(field)]


def _shipped(recipe: Recipe) -> Recipe | None:
    """The shipped recipe that ``recipe`` equals or was changed from by options."""
    if recipe.name not in shipped_recipes():
        return None
    shipped = load_recipe(recipe.name)
    same = shipped.model_dump(include=_OF_THE_STORE) == recipe.model_dump(include=_OF_THE_STORE)
    return shipped if same else None


def _options(values: Mapping[str, Any], recipe: Recipe, model: str | None) -> Options:
    """Options for fields with their values: a field's own option if it has one, else ``--set``."""
    rest = dict(values)
    new_protocol = bool(rest.keys() & {"split.protocol", "split.folds"})
    for name in ("split.protocol", "split.folds") if new_protocol else ():
        rest.pop(name, None)

    def take(field: str, write: Callable[[Any], _Option]) -> _Option | None:
        return write(rest.pop(field)) if field in rest else None

    return Options(
        recipe=recipe.name,
        model=model,
        protocol=recipe.split.shorthand if new_protocol else None,
        datasets=take("datasets", lambda value: "all" if value is None else ",".join(value)),
        where=take("where", lambda value: value or ""),
        views=take("train.views", _ranges),
        epochs=take("train.epochs", int),
        batch_size=take("train.batch_size", int),
        train_on=take("split.train_corpora", ",".join),
        test_on=take("split.test_corpora", ",".join),
        leak_views=rest.get("split.leak_views") is True and bool(rest.pop("split.leak_views")),
        set=tuple(f"{name}={_text(value)}" for name, value in rest.items()),
    )


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
