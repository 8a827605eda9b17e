"""Every parameter of every command that names a file, a folder or a store has one of the path types."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from featurestore.cli import paths
from schemas.errors import UsageError
from tests import commands

PROGRAMS = ("features", "train", "evaluate", "predict", "export", "demo", "serve")
TYPES = {function for name, function in vars(paths).items() if name.endswith("_type")}
WORDS = ("folder", "file", "store", "run", "recording")
"""What a help text that describes a path speaks of."""
OTHER = {"datasets", "clip", "scheduler", "name", "host", "views", "features", "train_on", "test_on", "where"}
OTHER |= {"decoder", "encoder", "layers", "pooling", "segment"}


def _parameters() -> Iterator[tuple[str, str, Any, Any]]:
    for program in PROGRAMS:
        module = importlib.import_module(f"training.cli.commands.{program}")
        nested = [group.typer_instance for group in module.app.registered_groups]
        for command in (each for app in (module.app, *nested) for each in app.registered_commands):
            for name, hint in get_type_hints(command.callback, include_extras=True).items():
                if hasattr(hint, "__metadata__"):
                    yield (
                        f"{program} {command.callback.__name__}",
                        name,
                        hint.__origin__,
                        hint.__metadata__[0],
                    )


def _is_path(annotation: Any) -> bool:
    return annotation is Path or any(map(_is_path, get_args(annotation)))


def _is_text(annotation: Any) -> bool:
    return annotation is str or any(map(_is_text, get_args(annotation)))


def test_every_path_has_a_path_type() -> None:
    found = [*_parameters()]
    paths_found = [
        (command, name)
        for command, name, annotation, info in found
        if _is_path(annotation) and info.parser not in TYPES
    ]
    assert paths_found == []
    texts = [
        (command, name)
        for command, name, annotation, info in found
        if _is_text(annotation)
        and name not in OTHER
        and any(word in (info.help or "").lower() for word in WORDS)
        and info.parser not in TYPES
    ]
    assert texts == []
    assert len([name for *_, info in found for name in [info.parser] if name in TYPES]) > 30


@pytest.mark.parametrize("each", sorted(TYPES, key=lambda function: function.__name__))
def test_no_type_takes_an_empty_path(each: Any) -> None:
    for text in ("", " "):
        with pytest.raises(UsageError):
            each(text)


def test_each_type_leaves_what_is_not_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.place_type("s3://lab/~/x") == "s3://lab/~/x"
    assert paths.place_type("./a.zarr/") == "./a.zarr/"
    assert paths.place_type("~/a.zarr") == f"{tmp_path}/a.zarr"
    assert paths.recording_type("-") == "-"
    assert paths.recipe_type("four-corpora-a") == "four-corpora-a"
    assert paths.store_or_corpus_type("mine=~/x") == "mine=~/x"


def test_options_given_with_an_equals_sign_are_expanded(tmp_path: Path) -> None:
    """As no shell does."""
    home = {"HOME": str(tmp_path), "SER_CORPORA": "~/speech"}
    said = commands.run("ser-features", "datasets", env=home).stderr
    assert f"{tmp_path}/speech" in said
    said = commands.run("ser-train", "--recipe=~/none.toml", env=home, status=2).stderr
    assert f"{tmp_path}/none.toml" in said


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("ser-features", ("info", "")),
        ("ser-features", ("build", "--datasets", "demo", "--out", "")),
        ("ser-features", ("datasets", "--corpora", " ")),
        ("ser-train", ("--store", "x.zarr", "--out", "")),
        ("ser-evaluate", ("runs/x", "")),
        ("ser-predict", ("runs/x", "a.wav", "")),
        ("ser-predict", ("runs/x", "a.wav", "--with", "")),
        ("ser-export", ("", "model.onnx")),
    ],
)
def test_an_empty_path_is_wrong_usage(program: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = commands.run(program, *arguments, status=2, cwd=tmp_path)
    assert "a path is empty" in done.stderr
    assert list(tmp_path.iterdir()) == []
