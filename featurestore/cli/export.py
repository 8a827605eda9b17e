"""``ser-features export``: features as a table or as NumPy files, for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import ConsoleProgress, after_result, out, print_json
from featurestore.cli.options import Json, StorePlace, layers_of
from featurestore.cli.paths import path_type
from featurestore.cli.sharing import Datasets, Features, Layers


def export(
    store: StorePlace,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The .csv or .parquet file to write, or a new folder.", parser=path_type
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, parquet, npy or audformat.", show_default="by the name of OUT"),
    ] = None,
    datasets: Datasets = None,
    features: Features = None,
    views: Annotated[
        str | None,
        typer.Option(help="Comma-separated names of views, or all.", show_default="original"),
    ] = None,
    layers: Layers = None,
    json: Json = False,
) -> None:
    """Export features as a table, or as NumPy files, for other tools.

    A table has one row per clip and view: speaker, emotion and so on, then the
    mean and standard deviation of each coefficient over the clip, or the numbers
    of a pooled feature. A folder gets one .npy file per clip and feature, (frames,
    coefficients) as stored. An audformat database has the same numbers as a table,
    and the emotion, speaker and split of each recording; it needs the extra
    audformat.

    [bold]Examples[/]

      ser-features export features.zarr features.csv --features mfcc

      ser-features export whisper.zarr layer3.parquet --layers 3 --views all

      ser-features export features.zarr arrays --features mel

      ser-features export ravdess.zarr database --format audformat --features mfcc
    """
    from featurestore.cli.text.export import export_json, export_text
    from featurestore.export.export import FORMS
    from featurestore.export.export import export as run
    from featurestore.sharing.selection import PartSelection
    from featurestore.store import FeatureStore
    from schemas.errors import UsageError

    chosen = next((each for each in FORMS if each == form), None)
    if form is not None and chosen is None:
        raise UsageError(f"unknown format '{form}'; choose one of {', '.join(FORMS)}")
    selection = PartSelection.of(datasets, features, views, layers_of(layers))
    if views is not None and views.strip() == "all":
        selection = PartSelection(
            selection.datasets, selection.features, FeatureStore.open(store).spec.view_names, selection.layers
        )
    report = run(store, target, chosen, selection, ConsoleProgress())
    with after_result():
        print_json(export_json(report)) if json else out.print(export_text(report))
