"""``ser-features push``, ``pull``, ``pack`` and ``unpack``: stores that teammates share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, out, print_json
from featurestore.cli.options import Json

Datasets = Annotated[
    str | None, typer.Option(help="Corpora, parted by commas.", show_default="all of the store's")
]
Features = Annotated[
    str | None, typer.Option(help="Features, parted by commas.", show_default="all of the store's")
]
Views = Annotated[
    str | None,
    typer.Option(
        help="Views by name, parted by commas, the original among them.", show_default="all of the store's"
    ),
]


def push(
    store: Annotated[str, typer.Argument(help="The store: a folder.")],
    url: Annotated[str, typer.Argument(help="Where versions are published: a URL or a folder.")],
    json: Json = False,
) -> None:
    """Publish a store as an immutable version, which becomes the newest; what is there is not sent again.

    [bold]Examples[/]

      ser-features push features.zarr s3://lab/emotions

      ser-features push features.zarr sftp://me@server/data/emotions
    """
    from featurestore.cli.sharing_text import push_text, report_json
    from featurestore.sharing.push import push as run

    report = run(store, url, ConsoleProgress())
    print_json(report_json(report)) if json else out.print(push_text(report))


def pull(
    url: Annotated[str, typer.Argument(help="A URL or folder; URL@1a2b3c is a version of it.")],
    store: Annotated[Path, typer.Argument(help="The folder that becomes the store.")],
    datasets: Datasets = None,
    features: Features = None,
    views: Views = None,
    json: Json = False,
) -> None:
    """Get a store, or a part of it, every byte hashed; goes on where it was interrupted.

    [bold]Examples[/]

      ser-features pull s3://lab/emotions features.zarr

      ser-features pull https://lab.org/emotions@1a2b3c small.zarr --datasets ravdess --features mel,mfcc
    """
    from featurestore.cli.sharing_text import pull_text, report_json
    from featurestore.sharing.pull import pull as run
    from featurestore.sharing.selection import PartSelection

    report = run(url, store, PartSelection.of(datasets, features, views), ConsoleProgress())
    print_json(report_json(report)) if json else out.print(pull_text(report))


def pack(
    store: Annotated[str, typer.Argument(help="The store: a folder or a URL.")],
    file: Annotated[Path, typer.Argument(help="The file to make, as features.tar.")],
    datasets: Datasets = None,
    features: Features = None,
    views: Views = None,
    json: Json = False,
) -> None:
    """Make one file of a store, or of a part of it, for mail or a USB stick.

    [bold]Examples[/]

      ser-features pack features.zarr features.tar

      ser-features pack features.zarr mfcc.tar --features mfcc --views original
    """
    from featurestore.cli.sharing_text import pack_text, report_json
    from featurestore.sharing.pack import pack as run
    from featurestore.sharing.selection import PartSelection

    report = run(store, file, PartSelection.of(datasets, features, views), ConsoleProgress())
    print_json(report_json(report)) if json else out.print(pack_text(report))


def unpack(
    file: Annotated[Path, typer.Argument(help="A packed store.")],
    store: Annotated[Path, typer.Argument(help="The folder that becomes the store.")],
    json: Json = False,
) -> None:
    """Make a store of a packed one, whoever packed it: nothing but the objects of a store is written.

    [bold]Example[/]

      ser-features unpack features.tar features.zarr
    """
    from featurestore.cli.sharing_text import report_json, unpack_text
    from featurestore.sharing.unpack import unpack as run

    report = run(file, store, ConsoleProgress())
    print_json(report_json(report)) if json else out.print(unpack_text(report))
