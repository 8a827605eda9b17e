"""Shell commands that reproduce a result, and commands to use a finished run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data.registry import CORPORA
from schemas.recipe import Recipe, load_recipe, shipped_recipes
from schemas.recipe_toml import recipe_toml, store_toml
from schemas.spec import StorageSpec, StoreSpec
from training.report.page.request_again import as_requested, options_of
from training.runs.options import Options
from training.runs.run import RunRecord

RUN = "RUN"
"""Placeholder for the folder that holds the page."""

_STORE = "features.zarr"
"""Name for a store whose path the run does not record."""

_WIDTH = 96


@dataclass(frozen=True)
class CommandFile:
    """A file to save before running the commands."""

    name: str
    content: str


@dataclass(frozen=True)
class ReproductionCommands:
    """Files and commands that reproduce a result."""

    files: tuple[CommandFile, ...]
    build: str
    train: str
    store: str
    """Name of the store in both commands."""


def commands_of(
    record: RunRecord, corpora: Sequence[str], *, fold: int | None, drawn: bool
) -> ReproductionCommands:
    """Commands that reproduce a run, or a series if ``record`` is that of any fold and ``fold`` is None.

    ``corpora``: names of the corpora needed. ``drawn``: whether the protocol draws the split again; if not,
    it is read from the run's folder.
    """
    options = options_of(as_requested(record.recipe, record.store_spec))
    store = record.store or _STORE
    files: list[CommandFile] = []
    if options is None:
        files.append(CommandFile(f"{record.recipe.name}.toml", recipe_toml(record.recipe)))
        options = Options(recipe=files[0].name)
    build, needed = _build(record, store, corpora, files)
    threads = f"OMP_NUM_THREADS={record.threads} " if record.device == "cpu" else ""
    train = ["ser-train", *_option("store", store), *_option_words(options, with_protocol=drawn)]
    if not drawn:
        train += _option("split", f"{RUN}/split.json")
    elif fold is not None:
        train += _option("fold", str(fold))
    train += [*_option("seed", str(record.seed)), *_option("device", record.device)]
    return ReproductionCommands((*files, *needed), build, threads + _join_words(train), store)


def next_commands(store: str, *, curves: bool, series: bool, views: bool) -> str:
    """Commands to use a finished run or series; ``views`` : whether it can be tested on augmented views."""
    given = "" if series else f" --store {shlex.quote(store)}"
    lines = [f"ser-evaluate {RUN}{given}"]
    if views:
        lines.append(f"ser-evaluate {RUN} --views all --store {shlex.quote(store)} --out robustness")
    if not series:
        lines.append(f"ser-predict {RUN} clip.wav")
    if curves:
        lines.append(f"tensorboard --logdir {RUN}" + ("" if series else "/tensorboard"))
    return "\n".join(lines)


def _build(
    record: RunRecord, store: str, corpora: Sequence[str], files: Iterable[CommandFile]
) -> tuple[str, tuple[CommandFile, ...]]:
    """The command that builds the store, and files that it needs in addition to ``files``."""
    spec, storage = record.store_spec, StorageSpec()
    needed: tuple[CommandFile, ...] = ()
    recipe = _recipe_of_store(spec, record.recipe, [file.name for file in files])
    if recipe is None:
        needed = (CommandFile("store.toml", store_toml(spec, "store")),)
        recipe = "store.toml"
    command = ["ser-features", "build", *_option("recipe", recipe), *_option("augment", str(len(spec.views)))]
    command += _option("datasets", ",".join(n if n in CORPORA else f"{n}=FOLDER-OF-{n}" for n in corpora))
    if spec.seed:
        command += _option("seed", str(spec.seed))
    if spec.storage.dtype != storage.dtype:
        command += _option("dtype", spec.storage.dtype)
    if spec.storage.codec != storage.codec:
        command += _option("codec", spec.storage.codec)
    if {*corpora} & CORPORA.keys():
        command += _option("corpora", "corpora")
    lines = [_join_words([*command, *_option("out", store)])]
    if "demo" in corpora:
        lines.insert(0, "ser-features demo --corpora corpora")
    return "\n".join(lines), needed


def _recipe_of_store(spec: StoreSpec, own: Recipe, files: Sequence[str]) -> str | None:
    """Name of a recipe, shipped or in one of ``files``, whose first views make ``spec``."""
    shipped = [(name, load_recipe(name)) for name in shipped_recipes()]
    shipped.sort(key=lambda each: each[0] != own.name)
    for name, recipe in [*((file, own) for file in files), *shipped]:
        count, complete = len(spec.views), recipe.complete(spec)
        if count > len(recipe.views) or not complete.is_complete:
            continue
        if complete.store_spec(count, spec.seed, spec.storage) == spec:
            return name
    return None


def _option_words(options: Options, *, with_protocol: bool) -> list[str]:
    """``options`` as words of a command line."""
    words: list[str] = []
    for field, value in options.given.items():
        name = field.replace("_", "-")
        if not with_protocol and name in _PROTOCOL:
            continue
        if value is True:
            words.append(f"--{name}")
        else:
            for one in options.set if field == "set" else (value,):
                words += _option(name, str(one))
    return words


_PROTOCOL = {"protocol", "train-on", "test-on", "leak-views"}


def _option(name: str, value: str) -> list[str]:
    return [f"--{name}", shlex.quote(value)]


def _join_words(words: Sequence[str]) -> str:
    """Join words into a command, continued over several lines if it is long."""
    lines: list[str] = []
    line = ""
    for word in words:
        if word.startswith("--") and len(line) > _WIDTH - 24:
            lines.append(line)
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    return " \\\n".join([*lines, line])
