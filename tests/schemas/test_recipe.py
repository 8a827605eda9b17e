from pathlib import Path

import pytest

import schemas.recipe
from data.registry import BUILT_IN
from schemas.errors import SpecError, UnknownNameError, UsageError
from schemas.named_models import MODELS
from schemas.recipe import load_recipe, parse_recipe, shipped_recipes
from tests.schemas.test_published_systems import STATED


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_named_as_their_file(name: str) -> None:
    assert load_recipe(name).name == name


@pytest.mark.parametrize("name", sorted(STATED))
def test_recipes_of_published_systems_mark_what_was_chosen(name: str) -> None:
    text = (Path(schemas.recipe.__file__).parent / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith('# What the published system does not state is marked "chosen".')
    assert text.count("chosen") > 5


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_name_known_corpora_and_a_named_model(name: str) -> None:
    recipe = load_recipe(name)
    assert set(recipe.datasets or ()) <= set(BUILT_IN)
    assert recipe.model == MODELS[recipe.model.name]


def test_augment_takes_the_first_views() -> None:
    recipe = load_recipe("four-corpora-a")
    assert recipe.store_spec(0).views == ()
    assert recipe.store_spec(2).views == recipe.views[:2]
    assert recipe.store_spec().views == recipe.views
    for count in (-1, 7):
        with pytest.raises(UsageError, match=f"--augment {count}"):
            recipe.store_spec(count)


@pytest.mark.parametrize("name", ["mine.toml", "MINE.TOML", "Mine.Toml"])
def test_a_file_is_read_as_a_recipe(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('name = "mine"\n[[features]]\nkind = "rms"\n[model]\nname = "A"\n')
    assert load_recipe(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("= 3", "not valid TOML"),
        ('name = "Mine"\n[[features]]\nkind = "rms"\n[model]\nname = "A"', "name"),
        (
            'name = "m"\n[[features]]\nkind = "rms"\n[model]\nname = "A"\n[train]\nlr = -1',
            r"train\.lr.*got -1",
        ),
        (
            'name = "m"\n[[features]]\nkind = "rms"\n[model]\nname = "A"\n[labels]\nset = "x"',
            "unknown label set 'x'",
        ),
        ('name = "m"\n[model]\nname = "A"', "features: must be given"),
    ],
)
def test_a_broken_recipe_is_one_sentence_with_the_field(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_recipe(text, "mine.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="UTF-8"):
        load_recipe(str(path))
    with pytest.raises(UnknownNameError, match=r"cannot read recipe .*none\.toml"):
        load_recipe(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_recipe_is_read_however_an_editor_saved_it(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = 'name = "mine"\r\ndescription = "Zoë"\r\n[[features]]\r\nkind = "mel"\r\n[model]\r\nname = "A"\r\n'
    path.write_bytes(text.encode(encoding))
    assert load_recipe(str(path)).description == "Zoë"
