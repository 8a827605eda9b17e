"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.paths import path_type, place_type

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
