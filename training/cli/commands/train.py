"""``ser-train``: train and test models from a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli import completion
from featurestore.cli.console import Command, Version, after_result, err, out, print_json
from featurestore.cli.options import Json
from featurestore.cli.paths import path_type, place_type, recipe_type, resume_type, space_type
from schemas.defaults import DEFAULT_RECIPE
from training.cli.choices import DeviceName, LoaderName
from training.cli.options import (
    PROTOCOL_HELP,
    PROTOCOL_PANEL,
    SPLIT_HELP,
    STORE_HELP,
    LeakViews,
    Matrix,
    Steps,
    TestOn,
    TrainOn,
)
from training.loop.ranks import is_first
from training.runs.options import Options, require_no_protocol, require_untouched

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")

_MACHINE = "Hardware and output"

_SEARCH = "Hyper-parameter search"


@app.command(cls=Command)
def train(
    store: Annotated[
        str | None,
        typer.Option(
            help=STORE_HELP,
            show_default="features.zarr, or the resumed run's",
            parser=place_type,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Name of a recipe, or a TOML file.",
            show_default=f"the model's, or {DEFAULT_RECIPE}",
            autocompletion=completion.recipes,
            parser=recipe_type,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model, such as A or functionals.",
            show_default="the recipe's",
            autocompletion=completion.models,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated features of the store to train on, including imported ones.",
            show_default="the recipe's",
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Corpora to train and test on: all, or comma-separated names.",
            show_default="the recipe's",
            autocompletion=completion.datasets,
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            help="Views to train on: all, or indices such as 0 or 0,2-4.", show_default="the recipe's, or all"
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help='Clips to train and test on: a query over the manifest, such as "snr_db > 10".',
            show_default="the recipe's, or all",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of epochs.", show_default="the recipe's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples per step.", show_default="the recipe's")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Change any field of the recipe, such as train.lr=3e-4."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**63 - 1,
            help="Random seed for the split, the weights and the order of samples.",
            show_default="0",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help=PROTOCOL_HELP,
            show_default="the recipe's",
            autocompletion=completion.protocols,
            rich_help_panel=PROTOCOL_PANEL,
        ),
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train only this fold, if the protocol has several.",
            show_default="all of them",
            rich_help_panel=PROTOCOL_PANEL,
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(help=SPLIT_HELP, rich_help_panel=PROTOCOL_PANEL, parser=path_type),
    ] = None,
    train_on: TrainOn = None,
    test_on: TestOn = None,
    leak_views: LeakViews = False,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="SPACE",
            help="Try configurations on validation speakers, then train the best one on training and "
            "validation speakers and test it once. SPACE is default, which is the space of the recipe or "
            "model; the name of a shipped space; or a TOML file. Each fold has its own search.",
            autocompletion=completion.spaces,
            parser=space_type,
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="Configurations to try per fold.",
            show_default="100",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    inner_folds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Groups of speakers outside the test that judge each configuration in turn; 1: the "
            "validation speakers of the protocol.",
            show_default="3",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    matrix: Matrix = False,
    steps: Steps = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also measure which features and layers the model depends on, for report.html.",
        ),
    ] = False,
    device: Annotated[
        DeviceName | None,
        typer.Option(
            help="Device to compute on.", show_default="auto, or the resumed run's", rich_help_panel=_MACHINE
        ),
    ] = None,
    loader: Annotated[
        LoaderName,
        typer.Option(
            help="Where to keep samples; auto: the fastest memory that has room.", rich_help_panel=_MACHINE
        ),
    ] = LoaderName.AUTO,
    memory: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="GB of memory that samples may use.",
            show_default="half of the free memory",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    cuda_graphs: Annotated[
        bool,
        typer.Option(
            "--cuda-graphs/--no-cuda-graphs",
            help="Record steps as CUDA graphs; needs a single GPU.",
            rich_help_panel=_MACHINE,
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train folds, or run trials, with this many Dask workers on this machine.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Train folds, or run trials, with the workers of a running Dask scheduler.",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder in which to create the run's folder.",
            show_default="runs",
            rich_help_panel=_MACHINE,
            parser=path_type,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a stopped run, series, search or matrix to resume; with --explain, also a "
            "finished run or series.",
            rich_help_panel=_MACHINE,
            parser=resume_type,
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            help="Publish the finished run or series at this URL or folder, as ser-features push does; not a "
            "matrix.",
            show_default=False,
            rich_help_panel=_MACHINE,
            parser=place_type,
        ),
    ] = None,
    json: Json = False,
    version: Version = False,
) -> None:
    """Train emotion classifiers and test them on speakers they have never heard.

    [bold]Examples[/]

      ser-train --store features.zarr --model A

      ser-train --store features.zarr --recipe ravdess-attention --protocol emobox

      ser-train --store features.zarr --protocol cross-corpus --train-on ravdess --test-on tess

      ser-train --store features.zarr --model functionals --protocol cross-corpus --matrix

      ser-train --store features.zarr --views 0 --epochs 15 --set train.lr=3e-4 --set train.mixup=0.2

      ser-train --store features.zarr --where "snr_db > 10 and clipping_ratio == 0"

      ser-train --store features.zarr --model functionals --views 0 --search default --trials 200

      ser-train --resume runs/20260131-140501-four-corpora-a-speaker

      ser-train --store s3://lab/emotions --model A --push s3://lab/emotions

      ser-train --resume runs/20260131-140501-four-corpora-a-speaker --explain
    """
    from pipelines.process import keep_freed_memory, spin_briefly

    spin_briefly()
    err.quiet = not is_first()
    from featurestore.cluster.request import cluster_of
    from schemas.recipe import load_recipe
    from training.runs.request import Hardware, TrainRequest
    from training.search.request import search_of

    options = Options(
        recipe=recipe,
        model=model,
        features=features,
        datasets=datasets,
        views=views,
        where=where,
        epochs=epochs,
        batch_size=batch_size,
        protocol=protocol,
        train_on=train_on,
        test_on=test_on,
        leak_views=leak_views,
        matrix=matrix,
        steps=steps,
        set=tuple(set_ or ()),
    )
    new = resume is None
    asked = cells = None
    if new:
        cells = options.matrix_request(fold=fold, split=split)
        asked = load_recipe(options.recipe_name())
        if split is not None:
            require_no_protocol(options.given_names, fold)
    else:
        require_untouched(
            options.given_names,
            fold=fold,
            split=split,
            seed=seed,
            out=output,
            search=search,
            trials=trials,
            **{"inner-folds": inner_folds},
        )
    searched = search_of(
        search, trials, inner_folds, split=split is not None, matrix=matrix, cuda_graphs=cuda_graphs
    )
    request = TrainRequest(
        store="features.zarr" if store is None and new else store,
        recipe=asked,
        recipe_source=options.recipe_name() if new else None,
        changes=() if asked is None else options.changes(asked),
        fold=fold,
        split=split,
        matrix=cells,
        seed=seed,
        output=output,
        resume=resume,
        hardware=Hardware(
            device=None if device is None else device.value,
            loader=loader.value,
            memory=None if memory is None else round(memory * 1e9),
            cuda_graphs=cuda_graphs,
        ),
        explain=explain,
    )
    cluster = cluster_of(workers, scheduler)
    if push is not None and is_first():
        from training.sharing.push_run import require_place, require_single

        require_single(resume, "--push", matrix=matrix)
        require_place(push)
    # Only once the request is known to make sense: these take seconds to import.
    from training.campaign import train_all
    from training.cli.console import ConsoleObserver
    from training.cli.publish import publish_outcome
    from training.cli.share_text import run_push_text, run_report_json
    from training.runs.observer import SilentObserver

    keep_freed_memory()
    if not is_first():
        train_all(request, cluster, SilentObserver(), searched)
        return
    with ConsoleObserver() as observer:
        outcome = train_all(request, cluster, observer, searched)
    published, failure = publish_outcome(outcome, push)
    with after_result():
        if json:
            extra = {} if published is None else {"published": run_report_json(published)}
            print_json(outcome.to_json() | extra)
        else:
            out.print(outcome.text, markup=False)
            out.print(f"{outcome.kind} folder: {outcome.path}", markup=False)
            if published is not None:
                out.print(run_push_text(published))
    if failure is not None:
        raise failure
