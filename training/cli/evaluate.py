"""``ser-evaluate``: trained models tested on a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.console import Command, Version, err, out, print_json
from schemas.errors import UsageError
from training.cli.choices import DeviceName

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command(cls=Command)
def evaluate(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Folders of runs, or of series of folds; of several, the mean is tested."
        ),
    ],
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

    Of several runs, or series of folds, the mean of their probabilities is tested.

    [bold]Examples[/]

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker --store other.zarr --out results

      ser-evaluate runs/perceptron-emobox runs/lda-emobox
    """
    from training.runs.series import SeriesFolder

    if any(map(SeriesFolder.is_one, runs)):
        asked = {
            "--store": store,
            "--datasets": datasets,
            "--where": where,
            "--device": None if device is DeviceName.AUTO else device,
        }
        _evaluate_series(runs, [name for name, value in asked.items() if value is not None], output, json)
        return
    from training.evaluate import EvaluationRequest
    from training.runs.request import Hardware

    request = EvaluationRequest(
        runs=tuple(runs),
        store=store,
        datasets=None if datasets is None else tuple(name.strip() for name in datasets.split(",")),
        where=where,
        hardware=Hardware(device=device.value),
    )
    from training.evaluate import evaluate_runs
    from training.report.files import write_tested

    _require_no_run(output)
    tested = evaluate_runs(request)
    for sentence in tested.notices:
        err.print(f"note: {sentence}", markup=False)
    if output is not None:
        write_tested(output, tested)
    print_json(tested.to_json()) if json else out.print(tested.report, markup=False)


def _evaluate_series(runs: list[Path], asked: list[str], output: Path | None, json: bool) -> None:
    """Test series of folds on the test sides of their folds, from what was predicted there."""
    from training.report.files import write_tested_series
    from training.report.series_summary import summary_of
    from training.report.summary_text import summary_text
    from training.runs.run import require_once
    from training.runs.series import SeriesFolder

    if asked:
        raise UsageError(
            f"a series of folds is tested on its own folds: leave out {', '.join(asked)}, or give the "
            f"folder of one fold, as {runs[0] / 'fold-1'}"
        )
    single = [path for path in runs if not SeriesFolder.is_one(path)]
    if single:
        raise UsageError(f"{single[0]} is no series of folds, and others are; give series, or runs, alone")
    require_once(runs)
    _require_no_run(output)
    summary = summary_of([SeriesFolder(path) for path in runs])
    if output is not None:
        write_tested_series(output, summary)
    print_json(summary.to_json()) if json else out.print(summary_text(summary), markup=False)


def _require_no_run(output: Path | None) -> None:
    """Raise where a result would be written over a training's, or into a store."""
    from training.runs.run import require_no_store

    if output is not None:
        require_no_store(output)
    for name in ("run.json", "series.json"):
        if output is not None and (output / name).exists():
            raise UsageError(f"--out {output} is the folder of a training; choose another")


def main() -> None:
    """Entry point of ``ser-evaluate``."""
    app()
