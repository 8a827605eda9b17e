"""Spaces of a hyper-parameter search: fields of a recipe, and the values to try for each.

::

    [fields."train.lr"]                 # a range: a number is drawn between the ends
    low = 1e-4
    high = 1e-2
    log = true                          # evenly over its logarithm

    [fields."model.hidden"]             # a choice
    choices = [[128], [256], [256, 128]]

    [fields."model.c"]                  # only for some values of a field above
    low = 1e-5
    high = 1.0
    log = true
    when = { "model.name" = ["svm", "logistic"] }

Fields are named as for ``--set`` (:mod:`schemas.overrides`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from schemas.errors import SpecError, UnknownNameError, UsageError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.files.toml_text import TomlError, parse_toml
from schemas.messages.nearest import did_you_mean
from schemas.model import Model
from schemas.named_models import MODELS
from schemas.overrides import NO_VALUE, override
from schemas.recipe import Recipe, first_problem, load_recipe, shipped_recipes, shorten
from schemas.recipe_toml import toml_value

DEFAULT_SPACE = "default"
"""Chooses the shipped space of the recipe, or of its model."""

SEARCHED_SECTIONS = ("input", "model", "train")
"""Sections of a recipe that decide neither what a store holds nor who is tested on what."""

_STORED_PARTS = ("layers", "pooling")
"""Fields of a stored encoder of which a recipe may read a part."""


def _require_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, not {shorten(value)}")  # noqa: TRY004
    return value


Number = Annotated[int | float, BeforeValidator(_require_number)]
"""A number as TOML has it: whole, or with a point or exponent."""


class SearchField(Model):
    """Values to try for one field: ``choices``, or the numbers from ``low`` to ``high``."""

    choices: tuple[Any, ...] | None = None
    """Values as a recipe has them; ``"null"`` means no value."""
    low: Number | None = None
    high: Number | None = None
    """Both ends are tried. If both are whole numbers, only whole numbers are."""
    log: bool = False
    """Draw evenly over the logarithm of the range."""
    step: Number | None = None
    """Distance between the values of a range; null: any number."""
    when: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Fields above with the choices for which this field is tried; empty: always."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("give either choices, or low and high")
        if self.choices is not None:
            self._check_choices(self.choices)
        if self.low is not None and self.high is not None:
            self._check_range(self.low, self.high)
        return self

    def _check_choices(self, choices: tuple[Any, ...]) -> None:
        if self.low is not None or self.high is not None or self.log or self.step is not None:
            raise ValueError("choices have no low, high, log or step; leave these out")
        if not choices:
            raise ValueError("choices is empty; list the values to try")
        texts = [written(choice) for choice in choices]
        if twice := [text for text in texts if texts.count(text) > 1]:
            raise ValueError(f"choices lists {twice[0]} twice; list each value once")

    def _check_range(self, low: Number, high: Number) -> None:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("low and high must be finite numbers")
        if low >= high:
            raise ValueError(f"low {low} is not below high {high}; exchange or change them")
        if self.log and low <= 0:
            raise ValueError(f"a log range needs a low above 0, not {low}")
        if self.log and self.step is not None:
            raise ValueError("a log range has no step; leave out log or step")
        if self.step is not None and not 0 < self.step <= high - low:
            raise ValueError(f"step {self.step} must be above 0 and at most high - low, {high - low}")
        if self.is_whole and self.step is not None and not isinstance(self.step, int):
            raise ValueError(f"step {self.step} must be a whole number, as low and high are")
        if self.step is not None:
            _require_reached(low, high, self.step)

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers of the range are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def texts(self) -> tuple[str, ...]:
        """The choices as ``--set`` takes them; empty for a range."""
        return tuple(map(written, self.choices or ()))

    @property
    def probes(self) -> tuple[str, ...]:
        """Values that must suit the recipe: all choices; of a range both ends and a value between."""
        if self.low is None or self.high is None:
            return self.texts
        step = 1 if self.is_whole else (self.high - self.low) / math.pi  # no whole number by accident
        between = self.low + (step if self.step is None else self.step)
        return (written(self.low), written(self.high), written(between))

    @property
    def described(self) -> str:
        """In one line: ``0.0001 to 0.01, log``, or the choices."""
        if self.choices is not None:
            return ", ".join(self.texts)
        more = [*(["log"] if self.log else []), *([f"step {self.step}"] if self.step is not None else [])]
        return ", ".join([f"{self.low:g} to {self.high:g}", *more])


def _require_reached(low: Number, high: Number, step: Number) -> None:
    """Raise ValueError if steps from ``low`` never reach ``high``, in decimals as written."""
    first, last, distance = (Decimal(str(number)) for number in (low, high, step))
    if (last - first) % distance:
        near = first + (last - first) // distance * distance
        raise ValueError(
            f"steps of {step} from {low} do not reach {high}, which would not be tried; change high to "
            f"{near} or the step"
        )


class SearchSpace(Model):
    """Fields of a recipe to search, in the order of the file."""

    description: str = ""
    fields: dict[str, SearchField] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.fields:
            raise ValueError('it lists no fields; add one, such as [fields."train.lr"]')
        return self


def written(value: object) -> str:
    """A value as ``--set`` takes it: ``0.001``, ``[128]``, ``"adam"``, or ``null`` for no value."""
    return NO_VALUE if value is None or value == NO_VALUE else toml_value(value)


def require_fits(space: SearchSpace, recipe: Recipe, source: str) -> None:
    """Check every field and value of ``space`` against ``recipe``; ``source`` names the space in messages.

    Raises :class:`UsageError` for an unknown field, one that decides what the store holds or who is tested, a
    value that the recipe refuses, or a condition on a field that is not above it.
    """
    above: dict[str, SearchField] = {}
    for name, field in space.fields.items():
        _require_searchable(name, recipe, source)
        conditions = _first_condition(name, field, above, source)
        for value in field.probes:
            try:
                override(recipe, [*conditions, f"{name}={value}"])
            except UsageError as error:
                raise UsageError(f"space '{source}': {error}") from error
        above[name] = field


def _require_searchable(name: str, recipe: Recipe, source: str) -> None:
    """Raise :class:`UsageError` for a field that a search must not change."""
    section, *inner = name.split(".")
    if name == "input.normalise":
        raise UsageError(
            f"space '{source}': '{name}' changes what the result claims; set it for the whole search with "
            f"--set {name}=VALUE"
        )
    if name == "train.balance":
        raise UsageError(f"space '{source}': a search does not repeat clips; leave out '{name}'")
    if section in SEARCHED_SECTIONS and inner:
        return
    encoders = {feature.name for feature in recipe.features if feature.kind == "encoder"}
    encoder, _, part = name.removeprefix("features.").rpartition(".")
    if section == "features" and encoder in encoders and part in _STORED_PARTS:
        return
    if section not in Recipe.model_fields:
        raise UsageError(
            f"space '{source}': a recipe has no '{name}'; {did_you_mean(section, Recipe.model_fields)}"
            f"search fields of {', '.join(SEARCHED_SECTIONS)}"
        )
    raise UsageError(
        f"space '{source}': '{name}' changes what the store holds, the labels or the split, which stay the "
        f"same during a search; search fields of {', '.join(SEARCHED_SECTIONS)}, or layers and pooling of an "
        f"encoder"
    )


def _first_condition(
    name: str, field: SearchField, above: Mapping[str, SearchField], source: str
) -> list[str]:
    """Changes of the recipe under which ``field`` is tried: the first value of each condition."""
    changes = []
    for other, values in field.when.items():
        where = f"space '{source}': {name}: when"
        if other not in above:
            raise UsageError(
                f"{where} names '{other}', which is not above it; {did_you_mean(other, above)}"
                f"list that field first, with choices"
            )
        offered = above[other].texts
        strange = [text for text in map(written, values) if text not in offered]
        if strange or not values:
            raise UsageError(
                f"{where} lists {', '.join(strange) or 'no value'} for '{other}', whose choices are "
                f"{', '.join(offered) or 'a range'}; list some of its choices"
            )
        changes.append(f"{other}={written(values[0])}")
    return changes


def shipped_spaces() -> tuple[str, ...]:
    """Names of the spaces that come with the package, sorted: those of recipes and of models."""
    folder = resources.files("schemas") / "spaces"
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    )


def default_space(recipe: Recipe) -> str:
    """Name of the shipped space of ``recipe``, or of its model if that is not the shipped recipe's.

    Raises :class:`UsageError` if there is neither.
    """
    spaces, model = shipped_spaces(), recipe.model.name
    own = recipe.name in shipped_recipes() and load_recipe(recipe.name).model.name == model
    if own and recipe.name in spaces:
        return recipe.name
    if model in spaces and (model not in MODELS or MODELS[model].family == recipe.model.family):
        return model
    raise UsageError(
        f"there is no space for recipe '{recipe.name}' and model {model}; give --search a TOML file, or "
        f"one of {', '.join(spaces)}"
    )


def load_space(name_or_path: str) -> SearchSpace:
    """Read a shipped space by name, or a TOML file.

    Raises :class:`UnknownNameError` if there is neither, and :class:`SpecError` if the file is not a valid
    space.
    """
    path = Path(name_or_path)
    if path.suffix.lower() == ".toml":
        try:
            text = decode_text(read_regular_file(path))
        except OSError as error:
            raise UnknownNameError(
                f"cannot read space '{name_or_path}': {error.strerror or error}; give a TOML file, "
                f"{DEFAULT_SPACE}, or one of {', '.join(shipped_spaces())}"
            ) from error
        except TextError as error:
            raise SpecError(f"space '{name_or_path}' {error}") from error
    elif name_or_path in shipped_spaces():
        text = (resources.files("schemas") / "spaces" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        near = did_you_mean(name_or_path, (DEFAULT_SPACE, *shipped_spaces()))
        raise UnknownNameError(
            f"unknown space '{name_or_path}'; {near}choose {DEFAULT_SPACE} or one of "
            f"{', '.join(shipped_spaces())}, or give a .toml file"
        )
    return parse_space(text, name_or_path)


def parse_space(text: str, source: str) -> SearchSpace:
    """Read a space from TOML text; ``source`` names it in messages. Raises :class:`SpecError`."""
    try:
        content = parse_toml(text)
        _require_quoted(content, source)
        return SearchSpace.model_validate(content)
    except TomlError as error:
        raise SpecError(f"space '{source}' {error}") from error
    except ValidationError as error:
        raise SpecError(f"space '{source}': {first_problem(error)}") from error


def _require_quoted(content: Mapping[str, Any], source: str) -> None:
    """Raise :class:`SpecError` for ``[fields.train.lr]``, which TOML reads as a table in a table."""
    fields = content.get("fields")
    for name, values in fields.items() if isinstance(fields, dict) else ():
        if isinstance(values, dict) and not values.keys() & SearchField.model_fields.keys():
            inner = next((key for key, value in values.items() if isinstance(value, dict)), None)
            if inner is not None:
                raise SpecError(
                    f"space '{source}': put the name of a field in quotation marks: "
                    f'[fields."{name}.{inner}"]'
                )
