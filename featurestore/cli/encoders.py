"""``ser-features encoders`` and ``encoder get``: the pretrained encoders that features can be made of."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, err, out, print_json
from featurestore.cli.options import Encoders, Json, encoder_folders_of
from schemas.errors import UnknownNameError
from schemas.messages.nearest import did_you_mean


def encoders(
    encoder: Encoders = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure how long a clip of 2 s takes on one core.")
    ] = False,
    json: Json = False,
) -> None:
    """List pretrained encoders: layers, width, licence, and where their weights are on this machine.

    Weights are looked for in the folder $SER_MODELS, in Hugging Face's cache, and where --encoder says.

    [bold]Examples[/]

      ser-features encoders

      ser-features encoders --encoder mine=~/models/my-wavlm --measure
    """
    from featurestore.cli.text.encoders import encoders_json, encoders_text
    from pipelines.encoders.catalogue import list_encoders, measure_cost

    listed = list_encoders(encoder_folders_of(encoder))
    if measure:
        listed = tuple(measure_cost(entry) for entry in listed)
    with after_result():
        print_json(encoders_json(listed)) if json else out.print(encoders_text(listed))


def get(
    name: Annotated[str, typer.Argument(help="Encoder, such as whisper-base.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence without a prompt.")
    ] = False,
) -> None:
    """Download the weights of an encoder from Hugging Face into $SER_MODELS, and check every file.

    Shows licence and size first. Resumes a stopped download, and does nothing if the weights are there. A
    build never downloads weights.

    [bold]Examples[/]

      ser-features encoder get whisper-base
    """
    from data.download.encoder import download_encoder, list_encoder
    from data.download.hub import Hub
    from data.download.web import Web
    from featurestore.cli.consent import require_consent
    from featurestore.places.durable import storage_errors
    from pipelines.encoders.locate import models_folder
    from pipelines.encoders.weights import find_weights
    from schemas.known_encoders import KNOWN_ENCODERS

    if name not in KNOWN_ENCODERS:
        raise UnknownNameError(
            f"unknown encoder '{name}'; {did_you_mean(name, tuple(KNOWN_ENCODERS))}choose one of "
            f"{', '.join(KNOWN_ENCODERS)}, or give your own folder to a build with --encoder NAME=FOLDER"
        )
    known, models = KNOWN_ENCODERS[name], models_folder()
    folder = models / name
    if folder.exists():
        weights = find_weights(folder)
        out.print(f"{name} is already in {folder} (SHA-256 {weights.sha256})", markup=False)
        return
    hub = Hub(known.hub_id)
    web = Web(notify=lambda sentence: err.print(sentence, markup=False))
    listing = list_encoder(hub, web)
    size = sum(file.size for file in listing.files)
    err.print(
        f"{known.hub_id}\n"
        f"  licence    {known.licence}\n"
        f"  home page  https://huggingface.co/{known.hub_id}\n"
        f"  size       {size / 1e6:,.0f} MB",
        markup=False,
    )
    if not accept_licence:
        require_consent(name, f"https://huggingface.co/{known.hub_id}")
    with storage_errors(models):
        download_encoder(name, hub, listing, models, web, ConsoleProgress())
    weights = find_weights(folder)
    with after_result():
        out.print(f"{name} is in {folder} (SHA-256 {weights.sha256})", markup=False)
