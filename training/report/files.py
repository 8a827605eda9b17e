"""Write the files of a finished training, or of a test of models, into a folder."""

from __future__ import annotations

from pathlib import Path

from featurestore.places.durable import storage_errors
from featurestore.places.partials import sweep_folder
from schemas.labels import Target
from training.metrics.predictions import Predictions
from training.metrics.scores import Evaluation
from training.report.curves import curves_png
from training.report.figures import confusion_png, reliability_png
from training.report.model_card import model_card
from training.report.page.run_page import run_page
from training.report.page.series_page import series_page
from training.report.recipe_prose import BEST_BY
from training.report.result import RunResult
from training.report.summary import Summary
from training.report.summary_text import write_summary
from training.report.tested import Tested
from training.runs.hashes import take_out_results, write_hashes
from training.runs.recorder import history_csv
from training.runs.run import PAGE, RunFolder
from training.runs.series import SeriesFolder


def write_result(result: RunResult) -> None:
    """Write history, predictions, figures, model card, ``metrics.json``, the page and, last, the hashes.

    Once ``metrics.json`` and its hash are written the run is finished, even if the page fails.
    """
    folder, heading = result.folder, f"{result.subject}\n{result.title}"
    if result.history:
        reason = BEST_BY[result.record.recipe.train.monitor]
        folder.write_text("history.csv", history_csv(result.history))
        folder.write_bytes("curves.png", curves_png(result.history, heading, reason))
    _write_test(folder, result.test, result.predictions, result.record.recipe.labels.target, heading)
    folder.write_text("README.md", model_card(result))
    folder.write_json("metrics.json", result.to_json())
    write_hashes(folder.path, without=[PAGE])
    folder.write_text(PAGE, run_page(result))
    write_hashes(folder.path)


def write_tested(path: Path, tested: Tested) -> None:
    """Write predictions, figures, the report and, last, ``metrics.json`` into a folder, created if missing.

    Raises :class:`StorageError`.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        folder, heading = RunFolder(path), f"{tested.subject}\n{tested.title}"
        _write_test(folder, tested.evaluation, tested.predictions, tested.target, heading)
        folder.write_text("report.txt", tested.report)
        folder.write_json("metrics.json", tested.to_json())


def write_series(folder: SeriesFolder, summary: Summary) -> None:
    """Write the summary of a series into its folder, its page and, last, the hashes."""
    files = RunFolder(folder.path)
    take_out_results(folder.path)
    write_summary(summary, files)
    write_hashes(folder.path, without=[PAGE])
    files.write_text(PAGE, series_page(summary, folder))
    write_hashes(folder.path)


def write_tested_series(path: Path, summary: Summary) -> None:
    """Write a summary into a folder, created if missing. Raises :class:`StorageError`."""
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        write_summary(summary, RunFolder(path))


def _write_test(
    folder: RunFolder, test: Evaluation, predictions: Predictions | None, target: Target, heading: str
) -> None:
    if predictions is not None:
        folder.write_text("predictions.csv", predictions.to_csv())
    folder.write_bytes("confusion-emotion.png", confusion_png(test.emotion, heading))
    if target is Target.GENDER_EMOTION:
        folder.write_bytes("confusion.png", confusion_png(test.own, heading))
    folder.write_bytes("reliability.png", reliability_png(test, target, heading))
