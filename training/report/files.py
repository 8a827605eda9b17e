"""Write the files of a finished training, or of a test of models, into a folder."""

from __future__ import annotations

from pathlib import Path

from featurestore.places.durable import storage_errors
from featurestore.places.partials import sweep_folder
from schemas.labels import Target
from schemas.messages.printable import escape_controls
from training.metrics.dimensions import DimensionEvaluation
from training.metrics.side import AnyEvaluation, AnyPredictions
from training.metrics.value_predictions import ValuePredictions
from training.report.curves import curves_png
from training.report.differences.figure import differences_png
from training.report.differences.record import ResultComparisons
from training.report.differences.table import to_csv
from training.report.differences.text import comparison_text
from training.report.dimensions.figures import scatter_png
from training.report.dimensions.summary import DimensionSummary
from training.report.dimensions.summary_text import write_dimension_summary
from training.report.explained import Explained
from training.report.explanation import EXPLANATION, Explanation
from training.report.explanation_figures import attention_png, importance_png
from training.report.extras import Extras
from training.report.figures import confusion_png, reliability_png
from training.report.matrix.figure import matrix_png
from training.report.matrix.result import Matrix
from training.report.matrix.text import matrix_text
from training.report.model_card import model_card
from training.report.page.comparison_page import comparison_page
from training.report.page.explanation_page import explanation_page
from training.report.page.matrix_page import matrix_page
from training.report.page.robustness_page import robustness_page
from training.report.page.run_page import run_page
from training.report.page.series_page import series_page
from training.report.recipe_prose import BEST_BY
from training.report.result import RunResult
from training.report.robustness import Robustness
from training.report.robustness_figure import robustness_png
from training.report.robustness_text import robustness_text
from training.report.series_explanation import pool_explanations
from training.report.series_summary import AnySummary
from training.report.summary_text import write_summary
from training.report.tested import Tested
from training.runs.hashes import DRAWN, take_out_results, write_hashes
from training.runs.matrix import MatrixFolder
from training.runs.recorder import history_csv
from training.runs.run import PAGE, VALIDATION, RunFolder
from training.runs.series import SeriesFolder


def write_result(result: RunResult) -> tuple[str, ...]:
    """Write history, predictions, ``metrics.json`` and hashes, then figures, model card and page, and hashes.

    Once ``metrics.json`` and its hash are written the run is finished. Returns a sentence for each later file
    that failed.
    """
    folder, heading = result.folder, f"{result.subject}\n{result.title}"
    if result.history:
        folder.write_text("history.csv", history_csv(result.history))
    if result.predictions is not None:
        folder.write_text("predictions.csv", result.predictions.to_csv())
    if result.validation_predictions is not None:
        folder.write_text(VALIDATION, result.validation_predictions.to_csv())
    if result.explanation is not None:
        folder.write_json(EXPLANATION, result.explanation.to_json())
    folder.write_json("metrics.json", result.to_json())
    write_hashes(folder.path, without=DRAWN)
    extras = Extras(folder)
    if result.history:
        reason = BEST_BY[result.record.recipe.train.monitor]
        extras.write("curves.png", lambda: curves_png(result.history, heading, reason))
    _draw_test(extras, result.test, result.predictions, result.record.recipe.labels.target, heading)
    if result.explanation is not None:
        _draw_explanation(extras, result.explanation, heading)
    extras.write("README.md", lambda: model_card(result))
    extras.write(PAGE, lambda: run_page(result))
    extras.write_hashes()
    return extras.problems


def write_tested(path: Path, tested: Tested) -> tuple[str, ...]:
    """Write predictions, the report and ``metrics.json`` into a folder, created if missing, then figures.

    Returns a sentence for each figure that failed. Raises :class:`StorageError`.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        folder, heading = RunFolder(path), f"{tested.subject}\n{tested.title}"
        if tested.predictions is not None:
            folder.write_text("predictions.csv", tested.predictions.to_csv())
        folder.write_text("report.txt", escape_controls(tested.report))
        folder.write_json("metrics.json", tested.to_json())
    extras = Extras(folder)
    _draw_test(extras, tested.evaluation, tested.predictions, tested.target, heading)
    return extras.problems


def write_robustness(path: Path, found: Robustness) -> tuple[str, ...]:
    """Write a robustness table as JSON, CSV and text, and its predictions, into a folder, created if missing.

    Then its figure and page. Returns a sentence for each of these that failed. Raises :class:`StorageError`.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        folder = RunFolder(path)
        folder.write_text("predictions.csv", found.predictions.to_csv())
        folder.write_text("report.txt", escape_controls(robustness_text(found)))
        folder.write_text("robustness.csv", found.to_csv())
        folder.write_json("robustness.json", found.to_json())
    extras = Extras(folder)
    extras.write("robustness.png", lambda: robustness_png(found))
    extras.write(PAGE, lambda: robustness_page(found))
    return extras.problems


def write_comparison(path: Path, found: ResultComparisons) -> tuple[str, ...]:
    """Write differences as JSON, CSV and text into a folder, created if missing, then their figure and page.

    Returns a sentence for each of these that failed. Raises :class:`StorageError`.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        folder = RunFolder(path)
        folder.write_text("report.txt", escape_controls(comparison_text(found)))
        folder.write_text("differences.csv", to_csv(found))
        folder.write_json("comparison.json", found.to_json())
    extras = Extras(folder)
    extras.write("differences.png", lambda: differences_png(found))
    extras.write(PAGE, lambda: comparison_page(found))
    return extras.problems


def write_explained(path: Path, found: Explained) -> tuple[str, ...]:
    """Write what a model listens to as JSON and text into a folder, created if missing.

    Then its figures and page. Returns a sentence for each of these that failed. Raises :class:`StorageError`.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        folder = RunFolder(path)
        folder.write_text("report.txt", escape_controls(found.text))
        folder.write_json(EXPLANATION, found.to_json())
    extras = Extras(folder)
    _draw_explanation(extras, found.explanation, f"{found.subject}\n{found.claim.title}")
    extras.write(PAGE, lambda: explanation_page(found))
    return extras.problems


def write_series(folder: SeriesFolder, summary: AnySummary) -> tuple[str, ...]:
    """Write the summary of a series into its folder, its page and, last, the hashes.

    Returns a sentence for each figure, for the page and for the hashes, if they failed.
    """
    files = RunFolder(folder.path)
    take_out_results(folder.path)
    problems = _write_summary(summary, files)
    page = Extras(files)
    explanation = pool_explanations(folder)
    if explanation is not None:
        files.write_json(EXPLANATION, explanation.to_json())
        _draw_explanation(page, explanation, f"{summary.subject}\n{summary.title}")
    page.write(PAGE, lambda: series_page(summary, folder))
    page.write_hashes()
    return (*problems, *page.problems)


def write_matrix(folder: MatrixFolder, matrix: Matrix) -> tuple[str, ...]:
    """Write a matrix as JSON, CSV and text into its folder, then its figure and page and, last, the hashes.

    Returns a sentence for the figure, for the page and for the hashes, if they failed.
    """
    files = RunFolder(folder.path)
    files.write_text("summary.txt", escape_controls(matrix_text(matrix)))
    files.write_text("matrix.csv", matrix.to_csv())
    files.write_json("summary.json", matrix.to_json())
    extras = Extras(files)
    extras.write("matrix.png", lambda: matrix_png(matrix))
    extras.write(PAGE, lambda: matrix_page(matrix, folder.record()))
    extras.write_hashes()
    return extras.problems


def write_tested_series(path: Path, summary: AnySummary) -> tuple[str, ...]:
    """Write a summary into a folder, created if missing.

    Returns a sentence for each figure that failed. Raises :class:`StorageError`.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        sweep_folder(path)
        return _write_summary(summary, RunFolder(path))


def _write_summary(summary: AnySummary, folder: RunFolder) -> tuple[str, ...]:
    if isinstance(summary, DimensionSummary):
        return write_dimension_summary(summary, folder)
    return write_summary(summary, folder)


def _draw_explanation(extras: Extras, found: Explanation, heading: str) -> None:
    extras.write("importance.png", lambda: importance_png(found.importance, heading))
    if found.attention:
        extras.write("attention.png", lambda: attention_png(found.attention, heading))


def _draw_test(
    extras: Extras,
    test: AnyEvaluation,
    predictions: AnyPredictions | None,
    target: Target,
    heading: str,
) -> None:
    if isinstance(test, DimensionEvaluation):
        if isinstance(predictions, ValuePredictions):
            values = predictions
            extras.write("scatter.png", lambda: scatter_png(values, test, heading))
        return
    extras.write("confusion-emotion.png", lambda: confusion_png(test.emotion, heading))
    if target is Target.GENDER_EMOTION:
        extras.write("confusion.png", lambda: confusion_png(test.own, heading))
    extras.write("reliability.png", lambda: reliability_png(test, target, heading))
