"""Metrics of one side of a split, of classes or of dimensions, by what a recipe's labels are. No torch."""

from __future__ import annotations

from schemas.labels_spec import LabelsSpec
from training.metrics.dimensions import DimensionEvaluation, evaluate_values
from training.metrics.evaluation import evaluate_predictions
from training.metrics.predictions import Predictions
from training.metrics.scores import Evaluation
from training.metrics.value_predictions import ValuePredictions

AnyPredictions = Predictions | ValuePredictions
"""Predictions of classes, or of values of dimensions."""

AnyEvaluation = Evaluation | DimensionEvaluation
"""Metrics of classes, or of dimensions."""


def evaluate_side(predictions: AnyPredictions, labels: LabelsSpec) -> AnyEvaluation:
    """Metrics of predictions. Raises :class:`RunError` if there are no clips, or other classes."""
    if isinstance(predictions, ValuePredictions):
        return evaluate_values(predictions)
    return evaluate_predictions(predictions, labels.label_set(), labels.target)
