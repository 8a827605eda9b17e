"""``ser-features pack`` and ``unpack``: share stores as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, StorePlace, layers_of
from featurestore.cli.paths import path_type

Datasets = Annotated[
    str | None, typer.Option(help="Comma-separated corpora.", show_default="all of the store's")
]
Features = Annotated[
    str | None, typer.Option(help="Comma-separated features.", show_default="all of the store's")
]
Views = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated names of views, including original.", show_default="all of the store's"
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(
        help="Layers of encoders: comma-separated, or a range such as 1-4.",
        show_default="all of the store's",
    ),
]


def pack(
    store: StorePlace,
    file: Annotated[
        Path, typer.Argument(help="The file to write, for example features.tar.", parser=path_type)
    ],
    datasets: Datasets = None,
    features: Features = None,
    views: Views = None,
    layers: Layers = None,
    json: Json = False,
) -> None:
    """Pack a store, or a part of it, into one file, for mail or a USB stick.

    [bold]Examples[/]

      ser-features pack features.zarr features.tar

      ser-features pack features.zarr mfcc.tar --features mfcc --views original
    """
    from featurestore.cli.text.sharing import pack_text, report_json
    from featurestore.sharing.pack import pack as run
    from featurestore.sharing.selection import PartSelection

    report = run(
        store, file, PartSelection.of(datasets, features, views, layers_of(layers)), ConsoleProgress()
    )
    with after_result():
        print_json(report_json(report)) if json else out.print(pack_text(report))


def unpack(
    file: Annotated[Path, typer.Argument(help="A packed store.", parser=path_type)],
    store: Annotated[Path, typer.Argument(help="The folder to write the store to.", parser=path_type)],
    json: Json = False,
) -> None:
    """Unpack a store from a file, even an untrusted one: only valid objects of a store are written.

    [bold]Example[/]

      ser-features unpack features.tar features.zarr
    """
    from featurestore.cli.text.sharing import report_json, unpack_text
    from featurestore.sharing.unpack import unpack as run

    report = run(file, store, ConsoleProgress())
    with after_result():
        print_json(report_json(report)) if json else out.print(unpack_text(report))
