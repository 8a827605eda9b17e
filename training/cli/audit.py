"""``ser-features audit``: whether a split leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import out, print_json
from featurestore.cli.options import Json, StorePlace


def audit(
    store: StorePlace,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="speaker, loso, kfold:K, emobox, cross-corpus or random.",
            show_default="the recipe's, or speaker",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a recipe or a TOML file: its protocol and corpora.", show_default="none"),
    ] = None,
    datasets: Annotated[
        str | None, typer.Option(help="Corpora, parted by commas.", show_default="the recipe's, or all")
    ] = None,
    train_on: Annotated[
        str | None, typer.Option(help="Corpora that cross-corpus trains on.", show_default="the others")
    ] = None,
    test_on: Annotated[str | None, typer.Option(help="Corpora that cross-corpus tests on.")] = None,
    leak_views: Annotated[
        bool, typer.Option("--leak-views", help="Under random: copies of a recording on several sides.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Seed of the split.", show_default="0")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="A split.json, in place of a protocol.", show_default=False)
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of a run, in place of a protocol.", show_default=False)
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="File that gets the split, to share it; of folds one each.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Prove that a split leaks nothing: speakers, recordings, copies under other names, views, sentences.

    Exit code 0 where no side overlaps another, 1 where any does, also where the protocol admits it (random).

    [bold]Examples[/]

      ser-features audit features.zarr

      ser-features audit features.zarr --protocol kfold:5 --seed 3 --save split.json

      ser-features audit features.zarr --protocol emobox --datasets ravdess

      ser-features audit features.zarr --run runs/20260131-140501-four-corpora-a-speaker
    """
    from training.audits.store_audit import AuditRequest, audit_store
    from training.audits.text import audit_json, audit_text
    from training.runs.options import Options

    found = audit_store(
        AuditRequest(
            store=store,
            options=Options(
                recipe=recipe,
                datasets=datasets,
                protocol=protocol,
                train_on=train_on,
                test_on=test_on,
                leak_views=leak_views,
            ),
            seed=seed,
            split=split,
            run=run,
            save=save,
        )
    )
    print_json(audit_json(found)) if json else out.print(audit_text(found), markup=False)
    if found.leaks_at_all:
        raise typer.Exit(1)
