from __future__ import annotations

import tomllib

import pytest

from schemas.overrides import override
from schemas.recipe import Recipe, load_recipe, parse_recipe, shipped_recipes
from schemas.recipe_toml import recipe_toml, toml_value
from training.report.page.request_again import as_requested, differences, options_of
from training.runs.options import Options

ASKED = (
    (),
    ("train.views=[0, 1, 2, 5]", "datasets=null"),
    ("train.monitor=last", "train.patience=null", "train.epochs=7", "train.batch_size=9"),
    ("split.protocol=kfold:7", "train.lr=3e-5", "model.dropout=0.0625"),
    ("split.protocol=random", "split.leak_views=true", "where=\"snr_db > 10 and emotion != 'sad'\""),
    ("split.protocol=cross-corpus", 'split.test_corpora=["tess"]', 'split.train_corpora=["ravdess"]'),
    ("labels.target=emotion", "train.spec_augment.band_masks=2", "input.clip=5.0", "train.mixup=0.2"),
    ("model.name=functionals-mlp", "model.hidden=[64, 8]"),
)


def asked(name: str, changes: tuple[str, ...]) -> Recipe:
    recipe = load_recipe(name)
    if not hasattr(recipe.model, "dropout"):
        changes = tuple(change for change in changes if not change.startswith("model.dropout"))
    return override(recipe, changes)


@pytest.mark.parametrize("name", shipped_recipes())
@pytest.mark.parametrize("changes", ASKED)
def test_options_and_toml_give_the_same_recipe_again(name: str, changes: tuple[str, ...]) -> None:
    recipe = asked(name, changes)
    assert parse_recipe(recipe_toml(recipe), "again") == recipe
    options = options_of(recipe)
    assert options is not None
    base = load_recipe(options.recipe_name())
    assert override(base, options.changes(base)) == recipe


def test_options_of_their_own_are_preferred_to_set() -> None:
    recipe = asked("four-corpora-a", ("train.views=[0, 1, 2, 5]", "train.epochs=7", "train.lr=0.01"))
    assert options_of(recipe) == Options(
        recipe="four-corpora-a", views="0-2,5", epochs=7, set=("train.lr=0.01",)
    )


def test_what_differs_from_the_shipped_recipe_is_told_field_by_field() -> None:
    assert differences(load_recipe("tess-delta")) == ()
    found = differences(asked("four-corpora-a", ("train.lr=0.01", "model.name=functionals", "datasets=null")))
    assert found is not None
    assert set(found) == {
        ("train.lr", "0.001", "0.01"),
        ("model.name", '"A"', '"functionals"'),
        ("datasets", '["ravdess", "tess", "savee", "cremad"]', "null"),
    }


def test_a_training_on_all_views_of_its_store_is_not_told_as_changed() -> None:
    recipe = load_recipe("four-corpora-a")
    store = recipe.store_spec(augment=2, seed=0)
    whole, part = (asked("four-corpora-a", (f"train.views={views}",)) for views in ([0, 1, 2], [0, 1]))
    assert differences(as_requested(whole, store)) == ()
    assert differences(as_requested(part, store)) == (("train.views", "null", "[0, 1]"),)


def test_a_recipe_of_ones_own_is_a_file() -> None:
    shipped = load_recipe("four-corpora-a").model_dump()
    mine = Recipe.model_validate(
        {**shipped, "name": "mine", "description": 'quote " back \\ del \x7f é 😀\n'}
    )
    assert (options_of(mine), differences(mine)) == (None, None)
    assert parse_recipe(recipe_toml(mine), "again") == mine
    other = Recipe.model_validate({**shipped, "views": shipped["views"][:2]})
    assert options_of(other) is None, "the name of a shipped recipe, other views"
    assert parse_recipe(recipe_toml(other), "again") == other


@pytest.mark.parametrize("value", [True, 3, 2.5e-7, 'a "b" \\ \x7f\n', [1, [2, 3]], {"a": 1, "b": "c"}, []])
def test_values_are_written_as_toml_reads_them(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value
