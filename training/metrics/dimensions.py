"""Metrics of a regression: CCC and RMSE with intervals, by dimension and group. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import RunError
from training.metrics.bootstrap import AgreementIntervals, DimensionIntervals, dimension_intervals
from training.metrics.concordance import AgreementSums, Floats
from training.metrics.value_predictions import ValuePredictions


@dataclass(frozen=True)
class DimensionScore:
    """One dimension: ``mean`` and ``deviation`` are those of the true values of the test clips."""

    name: str
    ccc: float
    rmse: float
    mean: float
    deviation: float
    intervals: AgreementIntervals | None
    """None if there are too few speakers."""


@dataclass(frozen=True)
class DimensionGroupScore:
    """CCC and RMSE over the ``support`` clips of one corpus, gender or speaker, by dimension in order.

    ``ccc`` is 0 in a dimension in which the clips of the group have the same true value.
    """

    name: str
    ccc: tuple[float, ...]
    rmse: tuple[float, ...]
    support: int
    speakers: int
    intervals: DimensionIntervals | None
    """Over the group's own speakers; None if they are too few."""

    @property
    def mean_ccc(self) -> float:
        """Mean over the dimensions."""
        return sum(self.ccc) / len(self.ccc)


@dataclass(frozen=True)
class DimensionEvaluation:
    """Metrics of one side; ``ccc``, the headline, and ``rmse`` are means over the dimensions."""

    ccc: float
    rmse: float
    support: int
    speakers: int
    intervals: DimensionIntervals | None
    """None if there are too few speakers."""
    per_dimension: tuple[DimensionScore, ...]
    by_corpus: tuple[DimensionGroupScore, ...]
    by_gender: tuple[DimensionGroupScore, ...]
    by_speaker: tuple[DimensionGroupScore, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Dimensions in order."""
        return tuple(score.name for score in self.per_dimension)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``."""
        return {**asdict(self), "dimensions": list(self.names)}


def evaluate_values(predictions: ValuePredictions) -> DimensionEvaluation:
    """Metrics of predicted values. Raises :class:`RunError` if there are no clips."""
    if not len(predictions):
        raise RunError(
            "there are no clips to test on; choose dimensions that the test speakers have values of"
        )
    true, predicted = predictions.true, predictions.predicted.astype(np.float64)
    groups = predictions.groups
    speakers = np.asarray(groups["speaker"], dtype=str)
    by_speaker = AgreementSums.of(true, predicted, _indices(speakers))
    everything = AgreementSums.of(true, predicted)
    intervals = dimension_intervals(by_speaker)
    ccc, rmse = everything.ccc[0], everything.rmse[0]
    return DimensionEvaluation(
        ccc=float(ccc.mean()),
        rmse=float(rmse.mean()),
        support=len(predictions),
        speakers=len(by_speaker.clips),
        intervals=intervals,
        per_dimension=tuple(
            DimensionScore(
                name,
                float(ccc[i]),
                float(rmse[i]),
                float(true[:, i].mean()),
                float(true[:, i].std()),
                None if intervals is None else intervals.each[i],
            )
            for i, name in enumerate(predictions.names)
        ),
        by_corpus=_group_scores(true, predicted, groups["corpus"], groups),
        by_gender=_group_scores(true, predicted, groups["gender"], groups),
        by_speaker=_group_scores(true, predicted, groups["speaker"], groups),
    )


def _group_scores(
    true: Floats, predicted: Floats, kinds: ArrayLike, groups: Mapping[str, ArrayLike]
) -> tuple[DimensionGroupScore, ...]:
    """Scores of every group, sorted by name; ``kinds`` (clips,) names the group of each clip."""
    of, speakers = np.asarray(kinds, dtype=str), np.asarray(groups["speaker"], dtype=str)
    found = []
    for name in np.unique(of):
        within = of == name
        sums = AgreementSums.of(true[within], predicted[within])
        by_speaker = AgreementSums.of(true[within], predicted[within], _indices(speakers[within]))
        found.append(
            DimensionGroupScore(
                name=str(name),
                ccc=tuple(map(float, sums.ccc[0])),
                rmse=tuple(map(float, sums.rmse[0])),
                support=int(within.sum()),
                speakers=len(by_speaker.clips),
                intervals=dimension_intervals(by_speaker),
            )
        )
    return tuple(found)


def _indices(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Index of each name among the sorted unique names."""
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)
