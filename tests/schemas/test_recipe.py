from pathlib import Path

import pytest

from schemas.errors import SpecError, UnknownNameError, UsageError
from schemas.recipe import load_recipe, parse_recipe, shipped_recipes
from schemas.views import NoiseSpec, PitchSpec, ShiftSpec, SpeedSpec


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid_and_named_as_their_file(name: str) -> None:
    assert load_recipe(name).name == name


def test_four_corpora_a_is_recipe_r1() -> None:
    recipe = load_recipe("four-corpora-a")
    assert [feature.kind for feature in recipe.features] == ["mel", "mfcc", "rms", "zcr"]
    noise, up, down, shift, slow, fast = recipe.views
    assert isinstance(noise, NoiseSpec)
    assert isinstance(up, PitchSpec)
    assert isinstance(down, PitchSpec)
    assert (up.semitones, down.semitones) == (2, -2)
    assert isinstance(shift, ShiftSpec)
    assert shift.fraction == (-0.2, 0.2)
    assert isinstance(slow, SpeedSpec)
    assert isinstance(fast, SpeedSpec)
    assert (slow.factor, fast.factor) == (0.8, 1.25)
    train = recipe.train
    assert (train.batch_size, train.epochs, train.patience) == (32, 200, 5)
    assert (recipe.model.dropout, train.weight_decay) == (0.3, 1e-5)
    assert (recipe.labels.set, recipe.labels.target, recipe.model.name) == ("common7", "gender_emotion", "A")


def test_augment_takes_the_first_views() -> None:
    recipe = load_recipe("four-corpora-a")
    assert recipe.store_spec(0).views == ()
    assert recipe.store_spec(2).views == recipe.views[:2]
    assert recipe.store_spec().views == recipe.views
    for count in (-1, 7):
        with pytest.raises(UsageError, match=f"--augment {count}"):
            recipe.store_spec(count)


def test_a_file_is_read_as_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
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
        ('name = "m"\n[model]\nname = "A"', "features: Field required"),
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
