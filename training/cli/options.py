"""Options and arguments that several commands of training share."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli import completion
from featurestore.cli.paths import place_type
from schemas.errors import UsageError
from training.cli.choices import DeviceName

RUN_HELP = "A run of ser-train: a folder or a URL."

STORE_HELP = "The feature store: a folder or a URL."

PROTOCOL_HELP = "speaker, loso, kfold:K, speaker+sentence:K, emobox, cross-corpus or random."

PROTOCOL_PANEL = "Test protocol"

SPLIT_HELP = "A split.json to use instead of a protocol."

Run = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, parser=place_type)]

Device = Annotated[DeviceName, typer.Option(help="Device to compute on.")]

PublicUrl = Annotated[
    str | None,
    typer.Option(
        help="Address at which a reverse proxy serves it.",
        show_default="none",
        rich_help_panel="Server",
    ),
]

TrainOn = Annotated[
    str | None,
    typer.Option(
        help="Corpora to train on with cross-corpus, comma-separated.",
        show_default="the others",
        autocompletion=completion.datasets,
        rich_help_panel=PROTOCOL_PANEL,
    ),
]

TestOn = Annotated[
    str | None,
    typer.Option(
        help="Corpora to test on with cross-corpus, comma-separated.",
        autocompletion=completion.datasets,
        rich_help_panel=PROTOCOL_PANEL,
    ),
]

Matrix = Annotated[
    bool,
    typer.Option(
        "--matrix",
        help="With cross-corpus: train and test every corpus against every other.",
        rich_help_panel=PROTOCOL_PANEL,
    ),
]

Steps = Annotated[
    str | None,
    typer.Option(
        help="With --matrix: train again with normalise (by corpus), balance (corpora), or both, "
        "comma-separated, and show the change.",
        rich_help_panel=PROTOCOL_PANEL,
    ),
]

LeakViews = Annotated[
    bool,
    typer.Option(
        "--leak-views",
        help="With random: allow copies of a recording on different sides of the split.",
        rich_help_panel=PROTOCOL_PANEL,
    ),
]


def require_url(public_url: str | None) -> None:
    """Raise :class:`UsageError` for a ``--public-url`` without ``http://`` or ``https://``."""
    if public_url is not None and not public_url.startswith(("http://", "https://")):
        raise UsageError(
            f"--public-url {public_url}: give the full address, such as https://demo.example/ser"
        )
