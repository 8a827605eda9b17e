"""TOML that is deep or huge, in every text that is TOML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data.own_recordings.description import read_description
from schemas.errors import SerError
from schemas.files.toml_text import TomlError, parse_toml
from schemas.overrides import override
from schemas.recipe import load_recipe, parse_recipe

DEEP = {
    "arrays": ("views = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
    "unclosed arrays": ("views = " + "[" * 100_000, "nested too deeply"),
    "inline tables": ("a = " + "{ a = " * 5_000 + "1" + " }" * 5_000, "nested too deeply"),
    "a dotted key": (".".join("a" * 100_000) + " = 1", "more than 32 parts"),
    "a quoted dotted key": ('"a" . ' * 100_000 + "b = 1", "more than 32 parts"),
    "a dotted table": ("[" + ".".join("a" * 100_000) + "]", "more than 32 parts"),
    "digits": ("seed = " + "9" * 5_000, "thousands of digits"),
    "not TOML": ("name = x", "is not valid TOML"),
}
deep = pytest.mark.parametrize("kind", DEEP)


@deep
def test_the_text_is_refused_in_a_sentence(kind: str) -> None:
    text, message = DEEP[kind]
    with pytest.raises(TomlError, match=message) as caught:
        parse_toml(text)
    assert len(str(caught.value)) < 200


@deep
@pytest.mark.parametrize("name", ["recipe.toml", "corpus.toml"])
def test_every_reader_refuses_it(name: str, kind: str, tmp_path: Path) -> None:
    text, message = DEEP[kind]
    path = tmp_path / name
    path.write_text(text)
    read: dict[str, Callable[[], object]] = {
        "recipe.toml": lambda: load_recipe(str(path)),
        "corpus.toml": lambda: read_description(tmp_path),
    }
    with pytest.raises(SerError, match=message) as caught:
        read[name]()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("value", ["[" * 5_000 + "]" * 5_000, "9" * 5_000, "1" + "0" * 400])
@pytest.mark.parametrize(
    "field", ["train.epochs", "train.lr", "views", "name", "model.name", "audio.duration_s", "model.family"]
)
def test_an_override_with_such_a_value_is_refused_in_a_sentence(field: str, value: str) -> None:
    recipe = load_recipe("four-corpora-a")
    with pytest.raises(SerError) as caught:
        override(recipe, [f"{field}={value}"])
    assert len(str(caught.value)) < len(value) + 800


def test_a_wrong_value_is_quoted_only_in_part() -> None:
    text = 'name = "x"\n[[features]]\nkind = "rms"\n[model]\nname = "A"\n[train]\nmonitor = "' + "m" * 10_000
    with pytest.raises(SerError, match=r"train\.monitor") as caught:
        parse_recipe(text + '"', "long.toml")
    assert len(str(caught.value)) < 300


def test_common_text_is_read() -> None:
    assert parse_toml('a.b.c = 1\n[x."y.z"]\ntext = "' + "a.b." * 7 + '"')["a"] == {"b": {"c": 1}}
