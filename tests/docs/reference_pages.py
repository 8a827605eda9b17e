"""Reference pages that are generated from the code.

``python -m tests.docs.reference_pages`` writes ``docs/reference/commands.md`` from the commands that
``pyproject.toml`` installs, and ``docs/reference/recipe.md`` from the models of ``schemas``. A test compares
them with the files in the repository.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import tomllib
import types
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from typer.models import ArgumentInfo, CommandInfo, ParameterInfo

from data.described.description import described_names, read_description
from schemas import architecture, features, named_models, views
from schemas.labels import sort_emotions
from schemas.labels_spec import LabelsSpec
from schemas.model import Model
from schemas.protocol import SplitSpec
from schemas.recipe import Recipe
from schemas.spec import AudioSpec, SpectralSpec
from schemas.training import InputSpec, SpecAugmentSpec, TrainSpec

ROOT = Path(__file__).resolve().parents[2]
AGAIN = "python -m tests.docs.reference_pages"


def pages() -> dict[Path, str]:
    """Return the text of each page by its path."""
    folder = ROOT / "docs" / "reference"
    return {
        folder / "commands.md": commands_page(),
        folder / "corpora.md": corpora_page(),
        folder / "recipe.md": recipe_page(),
    }


def commands_page() -> str:
    """Return the page of all commands with their arguments and options."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    parts = [
        "# Command line",
        (
            "Generated from the commands. Each has `--help`. Exit status: 0 done, 1 failed, 2 wrong "
            "usage, 130 interrupted by Ctrl-C. Notes and progress go to standard error, results to standard "
            "output."
        ),
    ]
    for name, entry in scripts.items():
        module = importlib.import_module(entry.partition(":")[0].replace(".cli.", ".cli.commands."))
        commands = {_name_of(info): info.callback for info in module.app.registered_commands}
        for group in module.app.registered_groups:
            nested = {_name_of(info): info.callback for info in group.typer_instance.registered_commands}
            commands |= {f"{group.name} {sub}": callback for sub, callback in nested.items()}
        for sub in sorted(commands):
            parts += _command(name if len(commands) == 1 else f"{name} {sub}", commands[sub])
    return "\n\n".join(parts) + "\n"


def recipe_page() -> str:
    """Return the page of all tables and fields of a recipe."""
    models = ", ".join(f"`{name}`" for name in named_models.MODELS)
    parts = [
        "# Fields of a recipe",
        (
            "Generated from `schemas/`. A field without a default is required. For an introduction and a "
            "complete example, see [recipes](../recipes.md#your-own-recipe) and the "
            "[tutorial](../tutorials/recipe.md)."
        ),
        *_model("Top level", Recipe, "Each table has its own section below."),
        *_model("`[audio]`", AudioSpec),
        *_model("`[spectral]`", SpectralSpec),
        "## `[[features]]`",
        "One table per feature; `kind` selects the feature.",
        *_union(features.FeatureSpec, "kind"),
        "## `[[views]]`",
        "One table per augmented view. A parameter is a number, or a range `[low, high]` to draw from.",
        *_union(views.ViewSpec, "kind"),
        *_model("`[labels]`", LabelsSpec),
        *_model("`[input]`", InputSpec),
        "## `[model]`",
        f"A `name` of {models}, and fields that replace its own; or a `family` with a name of your choice.",
        *_union(architecture.ModelSpec, "family"),
        *_model("`[split]`", SplitSpec),
        *_model("`[train]`", TrainSpec),
        *_model("`[train.spec_augment]`", SpecAugmentSpec),
    ]
    return "\n\n".join(parts) + "\n"


def corpora_page() -> str:
    """Return the page of all corpora that a description defines."""
    parts = [
        "# Described corpora",
        (
            "Generated from `data/described/corpora/`. The corpora of published systems (RAVDESS, TESS, "
            "SAVEE, CREMA-D, EMO-DB) are on the [page of corpora](../corpora.md)."
        ),
        (
            "The names of files come from the corpora's own documentation and from public metadata. No copy "
            "of these corpora was at hand: if a build finds fewer clips than you expect, "
            "`ser-features datasets --corpora FOLDER` lists the files that it did not use, with the reason."
        ),
    ]
    for name in described_names():
        known = read_description(name)
        facts = {
            "language": known.language,
            "clips": f"{known.expected_clips:,}" if known.expected_clips else "not stated",
            "emotions": ", ".join(sort_emotions({*known.emotions.values()})),
            "speakers": f"those of `{known.speakers_of}`" if known.speakers_of else "",
            "speech": "acted" if known.acted else "not acted, or not all of it",
            "licence": known.licence,
            "how to get it": known.how_to_get,
            "folder": ", ".join(f"`{folder}`" for folder in known.folder_names),
            "a clip": f"`{known.example}`",
            "not confirmed": known.unconfirmed,
        }
        rows = [f"| {what} | {_cell(fact)} |" for what, fact in facts.items() if fact]
        parts += [
            f"## {name}",
            f"[{known.title}]({known.home_page})",
            "\n".join(["| | |", "|---|---|", *rows]),
        ]
    return "\n\n".join(parts) + "\n"


def _name_of(info: CommandInfo) -> str:
    assert info.callback is not None
    return info.name or info.callback.__name__.replace("_", "-")


def _command(name: str, function: Any) -> list[str]:
    text, _, examples = inspect.cleandoc(function.__doc__ or "").partition("[bold]Example")
    parts = [f"## {name}", _plain(text)]
    lines = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
    if lines:
        parts.append("```text\n" + "\n".join(lines) + "\n```")
    hints = typing.get_type_hints(function, include_extras=True)
    rows = [
        _parameter(parameter.name, hints[parameter.name], parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]
    return [*parts, "| | | |\n|---|---|---|\n" + "\n".join(row for row in rows if row)]


def _parameter(name: str, hint: Any, default: Any) -> str:
    kind, *marks = typing.get_args(hint)
    (info,) = (mark for mark in marks if isinstance(mark, ParameterInfo))
    if info.hidden:
        return ""
    many = typing.get_origin(kind) is list
    if isinstance(info, ArgumentInfo):
        title, value = (info.metavar or name).upper() + ("…" if many else ""), ""
    else:
        # within Annotated, typer stores the first declaration in ``default``
        title = (
            ", ".join(filter(_is_option, (info.default, *(info.param_decls or ()))))
            or f"--{name.replace('_', '-')}"
        )
        value = info.metavar or _value_of(kind, info)
    said = _plain(info.help or "")
    if info.envvar:
        said += f" Also `${info.envvar}`."
    if isinstance(info.show_default, str):
        said += f" Default: {info.show_default}."
    elif info.show_default and default not in (None, inspect.Parameter.empty, False, []):
        said += f" Default: `{getattr(default, 'value', default)}`."
    return f"| `{title}` | {_cell(value)} | {_cell(said)} |"


def _is_option(value: object) -> bool:
    return isinstance(value, str) and value.startswith("-")


def _value_of(kind: Any, info: ParameterInfo) -> str:
    inner = [arg for arg in typing.get_args(kind) if arg is not type(None)]
    if typing.get_origin(kind) is Literal or hasattr(kind, "__members__"):
        return _type(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union, list):
        return _value_of(inner[0], info)
    if kind is bool:
        return ""
    title = {str: "text", int: "integer", float: "number", Path: "path"}[kind]
    low = f" ≥ {info.min:g}" if info.min is not None else ""
    return title + low


def _model(title: str, model: type[Model], intro: str = "") -> list[str]:
    said = _prose(model.__doc__ or "")
    return [f"## {title}", *([said] if said else []), *([intro] if intro else []), _fields(model)]


def _union(annotated: Any, key: str) -> Iterator[str]:
    for model in typing.get_args(typing.get_args(annotated)[0]):
        (value,) = typing.get_args(model.model_fields[key].annotation)
        yield f'### `{key} = "{value}"`'
        yield _prose(model.__doc__ or "")
        if set(model.model_fields) != {key}:
            yield _fields(model, left_out=key)


def _fields(model: type[Model], left_out: str = "") -> str:
    documented = _documented(model)
    rows = [
        f"| `{name}` | {_cell(_type(field.annotation))}{_limits(field)} | {_value(field)} | "
        f"{_cell(_prose(documented.get(name, '')))} |"
        for name, field in model.model_fields.items()
        if name != left_out
    ]
    return "| field | value | default | |\n|---|---|---|---|\n" + "\n".join(rows)


def _documented(model: type[Model]) -> dict[str, str]:
    """Map each field of the class and its bases to the docstring below it."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base.__module__.startswith("schemas"):
            body = typing.cast(
                "ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
            ).body
            for field, text in pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    constant = text.value
                    if isinstance(constant, ast.Constant) and isinstance(field.target, ast.Name):
                        found[field.target.id] = inspect.cleandoc(str(constant.value))
    return found


def _type(annotation: Any) -> str:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _type(args[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_type(arg) for arg in args if arg is not type(None)))
    if origin is dict:
        return f"table of {_type(args[1])}"
    if origin is tuple:
        if args[-1] is Ellipsis:
            return f"list of {_type(args[0])}"
        return f"[{', '.join(_type(arg) for arg in args)}]"
    if inspect.isclass(annotation) and issubclass(annotation, Model):
        return "table"
    if hasattr(annotation, "__members__"):
        return ", ".join(f"`{member}`" for member in annotation)
    return {str: "text", int: "integer", float: "number", bool: "`true`, `false`"}[annotation]


def _limits(field: FieldInfo) -> str:
    signs = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}
    found = [
        f"{signs[type(limit)]} {getattr(limit, type(limit).__name__.lower()):g}"
        for limit in field.metadata
        if type(limit) in signs
    ]
    return f" {', '.join(found)}" if found else ""


def _value(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, Model) or value in ((), ""):
        return ""
    if isinstance(value, tuple):
        return f"`{list(value)}`".replace("'", '"')
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _prose(text: str) -> str:
    """Convert a docstring to Markdown: roles and double backticks become code, paragraphs stay."""
    text = inspect.cleandoc(text)
    text = re.sub(r":(?:mod|class|func|data|attr|meth):`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def _plain(text: str) -> str:
    """Remove the markup of rich from a help text."""
    text = re.sub(r"\[/?[a-z]*\]", "", text)
    return "\n\n".join(re.sub(r"\s+", " ", part).strip() for part in text.split("\n\n")).strip()


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8")
