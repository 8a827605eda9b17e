"""A test result as text, of classes or of dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.labels_spec import LabelsSpec
from training.metrics.dimensions import DimensionEvaluation
from training.metrics.side import AnyEvaluation
from training.models.layer_weights import LayerShares
from training.report.dimensions.text import report_values
from training.report.text import report
from training.splits.claim import Claim


def result_text(
    evaluation: AnyEvaluation,
    labels: LabelsSpec,
    claim: Claim,
    best_epoch: int | None,
    *,
    remarks: Sequence[str] = (),
    calibration: Sequence[str] = (),
    layers: Sequence[LayerShares] = (),
) -> str:
    """Text of a test result: :func:`training.report.text.report`, or the same for a regression.

    ``calibration`` is of classifiers only.
    """
    if isinstance(evaluation, DimensionEvaluation):
        return report_values(evaluation, claim, best_epoch, remarks=remarks, layers=layers)
    return report(
        evaluation,
        labels.target,
        claim,
        best_epoch,
        remarks=remarks,
        calibration=calibration,
        layers=layers,
    )
