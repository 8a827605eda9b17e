"""The commands of ``ser-features``, except those that :mod:`training.cli.commands.features` adds."""

from __future__ import annotations

import typer

from featurestore.cli.build import build
from featurestore.cli.console import Command, Commands, Version
from featurestore.cli.corpora import datasets, demo
from featurestore.cli.download import download
from featurestore.cli.encoders import encoders, get
from featurestore.cli.export import export
from featurestore.cli.imports import import_
from featurestore.cli.listen import listen
from featurestore.cli.report import report
from featurestore.cli.sharing import pack, unpack
from featurestore.cli.stores import compare, info, verify

app = typer.Typer(
    cls=Commands,
    help="Turn speech corpora into a verified, chunked feature store.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

for _command in (
    *(build, datasets, demo, info, verify, compare),
    *(pack, unpack, download, listen, report, export),
):
    app.command(cls=Command)(_command)

app.command("import", cls=Command)(import_)
app.command(cls=Command)(encoders)
_encoder = typer.Typer(
    cls=Commands, help="Weights of pretrained encoders.", no_args_is_help=True, rich_markup_mode="rich"
)
_encoder.command(cls=Command)(get)
app.add_typer(_encoder, name="encoder")


@app.callback()
def _options(version: Version = False) -> None:
    """Accept the options that precede a command."""
