"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.paths import path_type, place_type
from schemas.errors import UsageError
from schemas.files.user_path import user_path

MOST_LAYER = 128
"""Highest number that a layer can have, as in :mod:`schemas.encoders`, which imports too much for --help."""

Corpora = Annotated[
    Path,
    typer.Option(
        help="Folder that contains one folder per corpus.",
        envvar="SER_CORPORA",
        show_default="./corpora",
        parser=path_type,
    ),
]
StorePlace = Annotated[str, typer.Argument(help="The store: a folder or a URL.", parser=place_type)]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]
Encoders = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        help="Folder of the weights of an encoder: NAME=FOLDER. Can be repeated.",
        metavar="NAME=FOLDER",
        show_default="$SER_MODELS, or the caches of this machine",
    ),
]


def encoder_folders_of(values: list[str] | None) -> dict[str, Path]:
    """The folders that ``--encoder`` gives, by name. Raises :class:`UsageError` for anything else."""
    folders: dict[str, Path] = {}
    for value in values or ():
        name, equals, folder = value.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"--encoder {value} does not name an encoder and its folder; give, for example, --encoder "
                f"whisper-base=FOLDER"
            )
        if name in folders:
            raise UsageError(f"--encoder gives the folder of {name} twice; give it once")
        folders[name.strip()] = user_path(folder)
    return folders


def layers_of(text: str | None) -> tuple[int, ...] | None:
    """The layers that ``--layers`` gives: ``1,2,3``, ``1-4`` or both. Raises :class:`UsageError`."""
    if text is None:
        return None
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"--layers {text} is no list of layers; give, for example, 1,2,3,4 or 1-4")
        stop = int(last) if dash else int(first)
        if not int(first) <= stop <= MOST_LAYER:
            raise UsageError(f"--layers {text}: {part.strip()} is not within 0 to {MOST_LAYER}, ascending")
        found.update(range(int(first), stop + 1))
    return tuple(sorted(found))
