"""``ser-evaluate``: a trained model tested on a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.console import Command, Version, err, out, print_json
from training.cli import DeviceName

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich", add_completion=False)


@app.command(cls=Command)
def evaluate(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    store: Annotated[
        str | None,
        typer.Option(help="The feature store: a folder or a URL.", show_default="the run's own"),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Corpora to test on, parted by commas.",
            show_default="the test side's, or all of another store",
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help='Clips to test on: a query over the manifest, as "snr_db > 10".', show_default="the recipe's"
        ),
    ] = None,
    device: Annotated[DeviceName, typer.Option(help="Where to compute.")] = DeviceName.AUTO,
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Folder that gets metrics, predictions and figures.", show_default="none"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    version: Version = False,
) -> None:
    """Test a trained model: on its own test side, or on clips of another store that it has never heard.

    [bold]Examples[/]

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker --store other.zarr --out results
    """
    from training.evaluate import EvaluationRequest
    from training.request import Hardware

    request = EvaluationRequest(
        run=run,
        store=store,
        datasets=None if datasets is None else tuple(name.strip() for name in datasets.split(",")),
        where=where,
        hardware=Hardware(device=device.value),
    )
    from training.evaluate import evaluate_run
    from training.outcome import write_tested

    tested = evaluate_run(request)
    for sentence in tested.notices:
        err.print(f"note: {sentence}", markup=False)
    if output is not None:
        write_tested(output, tested)
    print_json(tested.to_json()) if json else out.print(tested.report, markup=False)


def main() -> None:
    """Entry point of ``ser-evaluate``."""
    app()
