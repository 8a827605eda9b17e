"""Read the runs of a finished matrix and measure its cells."""

from __future__ import annotations

from training.audits.stored import read_audit
from training.metrics.comparison import EmotionAnswers
from training.metrics.evaluation import evaluate_predictions
from training.metrics.paired import compare_rates
from training.metrics.predictions import Predictions
from training.report.matrix.result import Cell, CellResult, Matrix, StepEffect
from training.report.sentences import sentence_note
from training.runs.matrix import MatrixFolder, MatrixRecord
from training.runs.recorded_claim import claim_of_run
from training.runs.run import RunFolder
from training.splits.claim import claim_of_folds

_Tested = dict[tuple[str, tuple[str, ...], str], Predictions]
"""Predictions of the plain cells, by kind, training corpora and test corpus."""


def matrix_of(folder: MatrixFolder) -> Matrix:
    """The cells of a matrix whose runs are all finished.

    Raises :class:`RunError` if a run cannot be read, or has changed since it was written.
    """
    record = folder.record()
    plain: _Tested = {}
    cells = []
    for index, planned in enumerate(record.cells):
        result = _result(folder, record, index, plain) if planned.folds else None
        cells.append(Cell(planned, result))
    return Matrix(
        title=_title(cells),
        subject=f"model {record.recipe.model.name} on {' and '.join(record.corpora)}",
        corpora=record.corpora,
        steps=record.steps,
        cells=tuple(cells),
        seed=record.seed,
        store_digest=record.store_digest,
        created=record.created,
    )


def _title(cells: list[Cell]) -> str:
    """What the plain cells claim: normalised by speaker or corpus if the recipe is."""
    claim = next(cell.result.claim for cell in cells if cell.result is not None)
    kinds = ["cross-corpus matrix", claim.independence]
    kinds += ["normalised by speaker"] if claim.normalised_by_speaker else []
    kinds += ["normalised by corpus"] if claim.normalised_by_corpus else []
    return ", ".join(kinds)


def _result(folder: MatrixFolder, record: MatrixRecord, index: int, plain: _Tested) -> CellResult:
    planned = record.cells[index]
    runs = [RunFolder.open(folder.run_of(record, index, fold)) for fold in range(1, planned.folds + 1)]
    claims = [claim_of_run(run) for run in runs]
    recipe = planned.recipe(record.recipe)
    claim = claims[0] if len(claims) == 1 else claim_of_folds(claims, recipe.split.shorthand)
    predictions = Predictions.join([Predictions.read(run.path / "predictions.csv") for run in runs])
    labels, target = recipe.labels.label_set(), recipe.labels.target
    key = (planned.kind, planned.train, planned.test)
    effect = None
    if planned.step is None:
        plain[key] = predictions
    elif key in plain:
        with_step, without = (
            EmotionAnswers.of(each, labels, target).of_speakers() for each in (predictions, plain[key])
        )
        difference = compare_rates(with_step, without).ua
        effect = StepEffect(difference.value, difference.interval)
    shared = [read_audit(run).shared_sentences(each) for run, each in zip(runs, claims, strict=True)]
    return CellResult(
        scores=evaluate_predictions(predictions, labels, target).emotion,
        claim=claim,
        runs=tuple(run.path.name for run in runs),
        sentences=sentence_note(shared, claim),
        effect=effect,
    )
