"""``ser-features push``, ``pull``, ``pack`` and ``unpack``: share stores with others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, StorePlace, layers_of
from featurestore.cli.paths import path_type, place_type

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


def push(
    store: Annotated[str, typer.Argument(help="The store: a folder.", parser=place_type)],
    url: Annotated[
        str, typer.Argument(help="Where to publish the version: a URL or a folder.", parser=place_type)
    ],
    json: Json = False,
) -> None:
    """Publish a store as an immutable version, which becomes the latest.

    Data that is already there is not sent again.

    [bold]Examples[/]

      ser-features push features.zarr s3://lab/emotions

      ser-features push features.zarr sftp://me@server/data/emotions
    """
    from featurestore.cli.text.sharing import push_text, report_json
    from featurestore.sharing.push import push as run

    report = run(store, url, ConsoleProgress())
    with after_result():
        print_json(report_json(report)) if json else out.print(push_text(report))


def pull(
    url: Annotated[
        str, typer.Argument(help="A URL or folder, or one version of it: URL@1a2b3c.", parser=place_type)
    ],
    store: Annotated[Path, typer.Argument(help="The folder to write the store to.", parser=path_type)],
    datasets: Datasets = None,
    features: Features = None,
    views: Views = None,
    layers: Layers = None,
    json: Json = False,
) -> None:
    """Fetch a store or a part of it, and verify every byte. Resumes an interrupted pull.

    [bold]Examples[/]

      ser-features pull s3://lab/emotions features.zarr

      ser-features pull https://lab.org/emotions@1a2b3c small.zarr --datasets ravdess --features mel,mfcc

      ser-features pull s3://lab/emotions middle.zarr --features whisper-base --layers 2-4
    """
    from featurestore.cli.text.sharing import pull_text, report_json
    from featurestore.sharing.pull import pull as run
    from featurestore.sharing.selection import PartSelection

    report = run(
        url, store, PartSelection.of(datasets, features, views, layers_of(layers)), ConsoleProgress()
    )
    with after_result():
        print_json(report_json(report)) if json else out.print(pull_text(report))


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
