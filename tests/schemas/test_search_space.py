"""Spaces of a search, and their checks against a recipe."""

from __future__ import annotations

import pytest

from schemas.errors import SpecError, UnknownNameError, UsageError
from schemas.named_models import MODELS
from schemas.overrides import override
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from schemas.search_space import default_space, load_space, parse_space, require_fits, shipped_spaces

FUNCTIONALS = ("functionals", "functionals-lda", "functionals-mlp")
CONDITION = """
[fields."model.hidden"]
choices = [64]
[fields."train.lr"]
low = 1
high = 2
when = { "model.hidden" = [65] }
"""
HEADS = {"lda": "whisper-base", "layer-mlp": "whisper-layers", "frame-head": "whisper-frames"}


def recipe_of(space: str) -> Recipe:
    """A recipe that a shipped space is made for."""
    if space in shipped_recipes():
        return load_recipe(space)
    if space in FUNCTIONALS:
        changes = ["input.representation=functionals", f"model.name={space}"]
        return override(load_recipe("four-corpora-a"), changes)
    if space in ("svm", "logistic"):
        return override(load_recipe("whisper-base"), [f"model.name={space}"])
    return load_recipe(HEADS[space])


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_shipped_space_fits_its_recipe(name: str) -> None:
    space = load_space(name)
    assert space.description
    require_fits(space, recipe_of(name), name)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_has_a_space(name: str) -> None:
    assert default_space(load_recipe(name)) == name


def test_a_recipe_with_another_model_gets_the_space_of_the_model() -> None:
    recipe = override(load_recipe("four-corpora-a"), ["model.name=functionals"])
    assert default_space(recipe) == "functionals"
    assert "functionals" in MODELS
    with pytest.raises(UsageError, match="there is no space for recipe 'four-corpora-a' and model mine"):
        default_space(recipe.model_copy(update={"model": recipe.model.model_copy(update={"name": "mine"})}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fields = {}", "it lists no fields"),
        ('[fields."train.lr"]\nlow = 2\nhigh = 1', "low 2 is not below high 1"),
        ('[fields."train.lr"]\nlow = 0\nhigh = 1\nlog = true', "a log range needs a low above 0, not 0"),
        ('[fields."train.lr"]\nlow = "a"\nhigh = 1', "must be a number, not 'a'"),
        ('[fields."train.lr"]\nlow = true\nhigh = 2', "must be a number, not True"),
        ('[fields."train.lr"]\nlow = 1', "give either choices, or low and high"),
        ('[fields."train.lr"]\nlow = 1\nhigh = 2\nchoices = [1]', "give either choices"),
        ('[fields."train.lr"]\nlow = 1\nhigh = 2\nstep = 3', "step 3 must be above 0 and at most"),
        (
            '[fields."train.epochs"]\nlow = 1\nhigh = 10\nstep = 4',
            "steps of 4 from 1 do not reach 10.*to 9 or",
        ),
        ('[fields."train.lr"]\nlow = 0.0\nhigh = 0.5\nstep = 0.2', "from 0.0 do not reach 0.5.*to 0.4 or"),
        ('[fields."train.lr"]\nchoices = []', "choices is empty"),
        ('[fields."train.lr"]\nchoices = [1, 1]', "choices lists 1 twice"),
        ('[fields."train.lr"]\nchoices = [1]\nlog = true', "choices have no low, high, log or step"),
        ("[fields.train.lr]\nlow = 1\nhigh = 2", r'in quotation marks: \[fields."train.lr"\]'),
        ("x = 1", "unknown field"),
        ("[fields", "is not valid TOML"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        parse_space(text, "s.toml")
    assert str(refused.value).startswith("space 's.toml'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[fields."train.lrr"]\nlow = 1\nhigh = 2', "no 'train.lrr'; did you mean 'lr'"),
        ('[fields."mdel.hidden"]\nchoices = [1]', "no 'mdel.hidden'; did you mean 'model'"),
        ('[fields."train.optimiser"]\nchoices = ["sgd"]', "must be 'adam' or 'adamw'"),
        ('[fields."train.lr"]\nlow = -1\nhigh = 1', "train.lr=-1: must be greater than 0"),
        ('[fields."train.batch_size"]\nlow = 1.0\nhigh = 3.0', "must be a whole number"),
        (
            '[fields."spectral.n_fft"]\nchoices = [512]',
            "changes what the store holds, the labels or the split",
        ),
        (
            '[fields."labels.set"]\nchoices = ["tess7"]',
            "changes what the store holds, the labels or the split",
        ),
        ('[fields."split.seed"]\nchoices = [1]', "changes what the store holds, the labels or the split"),
        ('[fields."features.mel.n_mels"]\nchoices = [64]', "changes what the store holds"),
        ('[fields."model"]\nchoices = [1]', "changes what the store holds"),
        ('[fields."input.normalise"]\nchoices = ["speaker"]', "changes what the result claims"),
        ('[fields."train.lr"]\nlow = 1\nhigh = 2\nwhen = { "train.x" = [1] }', "which is not above it"),
        (
            CONDITION,
            "lists 65 for 'model.hidden', whose choices are 64",
        ),
    ],
)
def test_a_space_that_does_not_suit_the_recipe_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        require_fits(parse_space(text, "s.toml"), load_recipe("four-corpora-a"), "s.toml")


def test_a_choice_may_be_no_value() -> None:
    space = parse_space('[fields."train.gradient_clip"]\nchoices = ["null", 1.0]', "s.toml")
    require_fits(space, load_recipe("four-corpora-a"), "s.toml")
    assert space.fields["train.gradient_clip"].texts == ("null", "1.0")


def test_an_unknown_space_gets_the_closest_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown space 'wisper-base'; did you mean 'whisper-base'"):
        load_space("wisper-base")
    with pytest.raises(UnknownNameError, match=r"cannot read space 'none\.toml'"):
        load_space("none.toml")
