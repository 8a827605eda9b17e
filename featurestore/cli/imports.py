"""``ser-features import``: a feature that another tool computed, added to a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, StorePlace
from featurestore.cli.paths import path_type


def import_(
    store: StorePlace,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new feature, such as egemaps.")],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="CSV or Parquet tables, a folder of .npy files, or Kaldi archives.",
            parser=path_type,
        ),
    ],
    key: Annotated[
        str | None,
        typer.Option(
            help="Column of a table that names the clips.",
            show_default="clip_id, file, path, filename or name",
        ),
    ] = None,
    drop: Annotated[str | None, typer.Option(help="Comma-separated columns of a table to leave out.")] = None,
    provenance: Annotated[
        str | None,
        typer.Option(help="Where the numbers come from, in one line.", show_default="the names of the files"),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an imported feature of this name.")
    ] = False,
    json: Json = False,
) -> None:
    """Add a feature that another tool computed to a store.

    Sources are tables of openSMILE, audinterface or nkululeko, folders of .npy
    files named after the clips, and Kaldi archives. Entries are matched with
    clips by id, path or file name. Clips without an entry get no values, and
    training leaves them out.

    [bold]Examples[/]

      ser-features import features.zarr egemaps egemaps.csv

      ser-features import features.zarr wav2vec2 arrays --provenance "layer 9"

      ser-features import features.zarr xvector xvectors.ark
    """
    from featurestore.cli.text.imports import import_json, import_text
    from featurestore.imports.run import ImportRequest, import_feature
    from featurestore.imports.tables import TableOptions

    dropped = tuple(column.strip() for column in (drop or "").split(",") if column.strip())
    request = ImportRequest(
        store, name, tuple(files), TableOptions(key, dropped), provenance, replace=replace
    )
    report = import_feature(request, ConsoleProgress())
    with after_result():
        print_json(import_json(report)) if json else out.print(import_text(report))
