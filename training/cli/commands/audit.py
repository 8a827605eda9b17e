"""``ser-features audit``: check whether a split leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli import completion
from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, StorePlace
from featurestore.cli.paths import path_type, place_type, recipe_type
from training.cli.options import PROTOCOL_HELP, PROTOCOL_PANEL, SPLIT_HELP, LeakViews, TestOn, TrainOn


def audit(
    store: StorePlace,
    protocol: Annotated[
        str | None,
        typer.Option(
            help=PROTOCOL_HELP,
            show_default="the recipe's, or speaker",
            autocompletion=completion.protocols,
            rich_help_panel=PROTOCOL_PANEL,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Recipe whose protocol and corpora to use: a name or a TOML file.",
            show_default="none",
            autocompletion=completion.recipes,
            parser=recipe_type,
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Corpora to split, comma-separated.",
            show_default="the recipe's, or all",
            autocompletion=completion.datasets,
        ),
    ] = None,
    train_on: TrainOn = None,
    test_on: TestOn = None,
    leak_views: LeakViews = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Random seed for the split.", show_default="0")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(help=SPLIT_HELP, show_default=False, parser=path_type),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Run whose split to audit, instead of a protocol: a folder or a URL.",
            show_default=False,
            parser=place_type,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="File to save the split to; with folds, one file per fold.",
            show_default=False,
            parser=path_type,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check a split for leaks: speakers, recordings, copies, views and sentences on several sides.

    The exit code is 0 if no sides overlap and 1 if any do, even if the protocol allows it (random).

    [bold]Examples[/]

      ser-features audit features.zarr

      ser-features audit features.zarr --protocol kfold:5 --seed 3 --save split.json

      ser-features audit features.zarr --protocol emobox --datasets ravdess

      ser-features audit features.zarr --run runs/20260131-140501-four-corpora-a-speaker
    """
    from training.audits.store_audit import AuditRequest, audit_store
    from training.audits.text import audit_json, audit_text
    from training.runs.elsewhere import local_run
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
            run=None if run is None else local_run(run, ConsoleProgress()),
            save=save,
        )
    )
    with after_result():
        print_json(audit_json(found)) if json else out.print(audit_text(found), markup=False)
    if found.leaks_at_all:
        raise typer.Exit(1)
