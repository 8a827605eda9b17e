"""``ser-features listen``: hear what augmentation did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import out, print_json
from schemas.defaults import DEFAULT_RECIPE


def listen(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STORE|CORPUS", help="A store (folder or URL), or a corpus: NAME or NAME=PATH."
        ),
    ],
    clip: Annotated[
        str, typer.Argument(help="Its id, a part of it that no other has, or the recording's path.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the WAV files.")] = Path("listen"),
    corpora: Annotated[
        Path,
        typer.Option(help="Folder with one folder a corpus.", envvar="SER_CORPORA", show_default="./corpora"),
    ] = Path("corpora"),
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Where the corpus of a store's clip is: NAME=PATH.", show_default="under --corpora"
        ),
    ] = None,
    augment: Annotated[
        int | None,
        typer.Option(help="Of a corpus: views beside the original.", show_default="all of the recipe's"),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Of a corpus: name of a recipe or a TOML file.", show_default=DEFAULT_RECIPE),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of a corpus: seed of the views.", show_default="0")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Write a clip's views as WAV files, derived anew from its recording, to hear what augmentation did.

    Of a store, recording and drawn values must be those that it holds. Beyond full scale, files are float.

    [bold]Examples[/]

      ser-features listen features.zarr 03-01-05-02-01-01-12

      ser-features listen ravdess 03-01-05-02-01-01-12 --augment 6 --out sounds

      ser-features listen mine=/data/recordings angry/anna_7.wav --recipe mine.toml
    """
    from featurestore.cli.listen_text import heard_json, heard_text
    from featurestore.listen.clip import ListenRequest
    from featurestore.listen.listen import listen as run

    request = ListenRequest(what, clip, corpora, datasets, augment, recipe, seed)
    heard = run(request, folder)
    print_json(heard_json(heard)) if json else out.print(heard_text(heard), markup=False)
