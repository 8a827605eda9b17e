"""``ser-features listen``: writes the views of a clip as sound files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import after_result, out, print_json
from featurestore.cli.options import Corpora, Json
from featurestore.cli.paths import path_type, recipe_type, store_or_corpus_type
from schemas.defaults import DEFAULT_RECIPE


def listen(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STORE|CORPUS",
            help="A store (folder or URL) or a corpus (NAME or NAME=PATH).",
            parser=store_or_corpus_type,
        ),
    ],
    clip: Annotated[
        str, typer.Argument(help="The clip: its id, a unique part of the id, or the recording's path.")
    ],
    folder: Annotated[
        Path,
        typer.Option("--out", help="Folder for the WAV files.", parser=path_type),
    ] = Path("listen"),
    corpora: Corpora = Path("corpora"),
    datasets: Annotated[
        str | None,
        typer.Option(
            help="For a store: the folder of the clip's corpus, as NAME=PATH.", show_default="under --corpora"
        ),
    ] = None,
    augment: Annotated[
        int | None,
        typer.Option(help="For a corpus: number of augmented views.", show_default="all of the recipe's"),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="For a corpus: recipe, a name or a TOML file.",
            show_default=DEFAULT_RECIPE,
            parser=recipe_type,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="For a corpus: random seed for the views.", show_default="0")
    ] = None,
    json: Json = False,
) -> None:
    """Write a clip's views as WAV files, to hear what augmentation does.

    The views are computed again from the recording. For a clip of a store, the
    recording and the random values must match the stored ones. Views that exceed
    full scale are written as 32-bit float.

    [bold]Examples[/]

      ser-features listen features.zarr 03-01-05-02-01-01-12

      ser-features listen ravdess 03-01-05-02-01-01-12 --augment 6 --out sounds

      ser-features listen mine=/data/recordings angry/anna_7.wav --recipe mine.toml
    """
    from featurestore.cli.text.listen import listen_json, listen_text
    from featurestore.listen.clip import ListenRequest
    from featurestore.listen.listen import listen as run

    request = ListenRequest(what, clip, corpora, datasets, augment, recipe, seed)
    result = run(request, folder)
    with after_result():
        print_json(listen_json(result)) if json else out.print(listen_text(result), markup=False)
