"""``ser-evaluate``: test trained models on a store."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli import completion
from featurestore.cli.console import Command, ConsoleProgress, Version, after_result, note, out, print_json
from featurestore.cli.options import Json
from featurestore.cli.paths import path_type, place_type
from schemas.errors import UsageError
from schemas.messages.printable import escape_line
from training.cli.choices import DeviceName, WeightingName
from training.cli.comparison import compare_and_print
from training.cli.options import STORE_HELP, Device
from training.cli.output_folder import require_no_run

if TYPE_CHECKING:
    from training.evaluate import EvaluationRequest

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command(cls=Command)
def evaluate(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Runs, or series of folds: folders or URLs. Several are averaged.",
            parser=place_type,
        ),
    ],
    store: Annotated[
        str | None,
        typer.Option(
            help=STORE_HELP, show_default="the run's own, or the one published with it", parser=place_type
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Corpora to test on, comma-separated.",
            show_default="those of the test side; all of another store",
            autocompletion=completion.datasets,
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help='Clips to test on: a query over the manifest, such as "snr_db > 10".',
            show_default="the recipe's",
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            help="Also test these views of the test clips: all, or names or numbers such as noise,2-4.",
            show_default="the original alone",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Instead of the usual test, measure which features and layers the models depend on.",
        ),
    ] = False,
    weights: Annotated[
        WeightingName,
        typer.Option(
            help="How to weight several runs: equally, or by how well they fit their validation clips."
        ),
    ] = WeightingName.EQUAL,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="Compare with this run or series (folder or URL) on the same test clips. If repeated, "
            "compare with the mean.",
            show_default="no comparison",
            parser=place_type,
        ),
    ] = None,
    each: Annotated[
        bool,
        typer.Option(
            "--each",
            help="With --against: compare each RUN on its own, not their mean; p is corrected by Holm's "
            "method.",
        ),
    ] = False,
    device: Device = DeviceName.AUTO,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder to write metrics, predictions and figures to.",
            show_default="none",
            parser=path_type,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every file of the runs with its hash, and stop.")
    ] = False,
    json: Json = False,
    version: Version = False,
) -> None:
    """Test a trained model on its own test side, or on clips of another store that the model has not heard.

    If several runs or series are given, the mean of their probabilities is tested. With --weights validation,
    the weights are those that make the validation clips most likely; the test clips have no influence.

    With --views, a table shows how much the model loses on noisy, faster or higher copies of the test clips.

    With --against, nothing is tested again: the stored test predictions of two results are compared. One
    sentence says what may be claimed, from a paired bootstrap over speakers.

    With --explain, a table shows how much the model loses if clips exchange a feature or an encoder's layer.

    [bold]Examples[/]

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker --store other.zarr --out results

      ser-evaluate runs/perceptron-emobox runs/lda-emobox --weights validation

      ser-evaluate runs/lda-emobox --views all --out robustness

      ser-evaluate runs/perceptron-emobox --against runs/lda-emobox --out compared

      ser-evaluate runs/a-emobox runs/b-emobox runs/c-emobox --each --against runs/lda-emobox

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker --explain --out listens

      ser-evaluate runs/20260131-140501-four-corpora-a-speaker --verify
    """
    from training.runs.elsewhere import local_run
    from training.runs.series import SeriesFolder

    given = {
        "--store": store,
        "--datasets": datasets,
        "--where": where,
        "--device": None if device is DeviceName.AUTO else device,
    }
    options = [name for name, value in given.items() if value is not None]
    folders = [local_run(run, ConsoleProgress()) for run in runs]
    if verify:
        changed = {
            "--weights": weights is not WeightingName.EQUAL,
            "--views": views is not None,
            "--against": bool(against),
            "--each": each,
            "--explain": explain,
            "--out": output is not None,
        }
        _verify(folders, [*options, *(name for name, is_given in changed.items() if is_given)], json)
        return
    if against:
        tests = {"--views": views is not None, "--explain": explain}
        others = [*options, *(name for name, is_given in tests.items() if is_given)]
        baseline = [local_run(run, ConsoleProgress()) for run in against]
        compare_and_print(folders, baseline, weights, others, output, each=each, json=json)
        return
    _require_one_test(runs, weights, views, each=each, explain=explain)
    series = any(map(SeriesFolder.is_one, folders))
    if series:
        allowed = {"--store", "--device"} if views is not None or explain else set()
        _require_series(folders, [name for name in options if name not in allowed])
    if series and views is None and not explain:
        _evaluate_series(folders, weights, output, json)
        return
    from training.evaluate import EvaluationRequest
    from training.runs.request import Hardware

    request = EvaluationRequest(
        runs=() if series else tuple(folders),
        store=_published_store(runs[0], folders[0]) if store is None else store,
        datasets=None if datasets is None else tuple(name.strip() for name in datasets.split(",")),
        where=where,
        weighting=weights.value,
        hardware=Hardware(device=device.value),
    )
    if explain:
        _explain(folders, request, output, json)
    elif views is not None:
        _evaluate_views(folders, request, views, output, json)
    else:
        _evaluate_runs(folders, request, output, json)


def _require_one_test(
    runs: list[str], weights: WeightingName, views: str | None, *, each: bool, explain: bool
) -> None:
    """Raise :class:`UsageError` for options that make no sense together, if nothing is compared."""
    if each:
        raise UsageError(
            "--each compares each run with the one of --against; give --against, or leave out --each"
        )
    if explain and views is not None:
        raise UsageError("--explain and --views are two tests of the same clips; give one of them")
    if weights is not WeightingName.EQUAL and len(runs) == 1:
        raise UsageError(
            f"--weights {weights.value} is for the mean of several runs, but only {runs[0]} is given; give "
            "another run, or leave out --weights"
        )


def _evaluate_runs(runs: list[Path], request: EvaluationRequest, output: Path | None, json: bool) -> None:
    """Test runs on the clips of a request."""
    from training.evaluate import evaluate_runs
    from training.report.files import write_tested
    from training.runs.hashes import notes_on_hashes

    require_no_run(output)
    tested = evaluate_runs(request)
    for sentence in (*notes_on_hashes(runs), *tested.notices):
        note(sentence)
    problems = () if output is None else write_tested(output, tested)
    with nullcontext() if output is None else after_result():
        for sentence in problems:
            note(sentence)
        print_json(tested.to_json()) if json else out.print(tested.report, markup=False)


def _published_store(run: str, folder: Path) -> str | None:
    """URL of a published run's store at the same place; None for a run of this machine.

    Also None if the run's own store is in this folder. Raises :class:`UsageError` if it is nowhere.
    """
    from training.runs.published import store_beside
    from training.runs.run import RunFolder
    from training.runs.series import SeriesFolder

    if folder == Path(run):
        return None
    is_series = SeriesFolder.is_one(folder)
    record = SeriesFolder(folder).record() if is_series else RunFolder.find(folder).record()
    found = store_beside(run, record.store_digest)
    if found is None and not (record.store and Path(record.store).exists()):
        raise UsageError(
            f"the store that {run} was trained on ({record.store_digest}) is not published with it; give "
            f"--store"
        )
    return found


def _evaluate_views(
    runs: list[Path], request: EvaluationRequest, views: str, output: Path | None, json: bool
) -> None:
    """Test runs, or series fold by fold, on views of their test clips."""
    from training.report.files import write_robustness
    from training.report.robustness_text import robustness_text
    from training.robustness import measure_runs, measure_series
    from training.runs.hashes import notes_on_hashes
    from training.runs.run import require_once

    require_once(runs)
    require_no_run(output)
    found = measure_runs(request, views) if request.runs else measure_series(runs, request, views)
    for sentence in (*notes_on_hashes(runs), *found.notices):
        note(sentence)
    problems = () if output is None else write_robustness(output, found)
    with nullcontext() if output is None else after_result():
        for sentence in problems:
            note(sentence)
        print_json(found.to_json()) if json else out.print(robustness_text(found), markup=False)


def _explain(runs: list[Path], request: EvaluationRequest, output: Path | None, json: bool) -> None:
    """Measure what runs, or series fold by fold, listen to on their test clips."""
    from training.listening import explain_runs, explain_series
    from training.report.files import write_explained
    from training.runs.hashes import notes_on_hashes
    from training.runs.run import require_once

    require_once(runs)
    require_no_run(output)
    found = explain_runs(request) if request.runs else explain_series(runs, request)
    for sentence in (*notes_on_hashes(runs), *found.notices):
        note(sentence)
    problems = () if output is None else write_explained(output, found)
    with nullcontext() if output is None else after_result():
        for sentence in problems:
            note(sentence)
        print_json(found.to_json()) if json else out.print(found.text, markup=False)


def _require_series(runs: list[Path], given: list[str]) -> None:
    """Raise :class:`UsageError` for options that series cannot have, or runs among series."""
    from training.runs.series import SeriesFolder

    if given:
        raise UsageError(
            f"a series of folds is tested on its own folds; leave out {', '.join(given)}, or give the folder "
            f"of one fold, such as {runs[0] / 'fold-1'}"
        )
    single = [path for path in runs if not SeriesFolder.is_one(path)]
    if single:
        raise UsageError(
            f"{single[0]} is not a series of folds, but others are; give either series or runs, not both"
        )


def _evaluate_series(runs: list[Path], weights: WeightingName, output: Path | None, json: bool) -> None:
    """Test series of folds from the stored predictions on the test sides of their folds."""
    from training.report.files import write_tested_series
    from training.report.series_summary import summary_of, summary_text_of
    from training.runs.hashes import notes_on_hashes
    from training.runs.run import require_once
    from training.runs.series import SeriesFolder

    require_once(runs)
    require_no_run(output)
    summary = summary_of([SeriesFolder(path) for path in runs], weights.value)
    problems = () if output is None else write_tested_series(output, summary)
    with nullcontext() if output is None else after_result():
        for sentence in (*notes_on_hashes(runs), *problems):
            note(sentence)
        print_json(summary.to_json()) if json else out.print(summary_text_of(summary), markup=False)


def _verify(runs: list[Path], given: list[str], json: bool) -> None:
    """Compare the files of runs and series with their hashes; exit with 1 if one has changed."""
    from training.cli.verify_text import verification_lines
    from training.verify import verify_run

    if given:
        raise UsageError(f"--verify only compares files with their hashes; leave out {', '.join(given)}")
    found = [verify_run(path) for path in runs]
    if json:
        print_json([each.to_json() for each in found])
    else:
        for line in (line for each in found for line in verification_lines(each)):
            out.print(escape_line(line), markup=False)
    if not all(each.ok for each in found):
        raise typer.Exit(1)
