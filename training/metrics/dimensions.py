"""Metrics of a regression: CCC and RMSE with intervals, by dimension and group. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.described.description import person_of
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
    persons = np.array([person_of(speaker) for speaker in predictions.speaker])
    by_speaker = AgreementSums.of(true, predicted, _indices(persons))
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
        by_corpus=_group_scores(true, predicted, predictions.dataset, persons),
        by_gender=_group_scores(true, predicted, predictions.gender, persons),
        by_speaker=_group_scores(true, predicted, persons, persons),
    )


def _group_scores(
    true: Floats, predicted: Floats, kinds: Sequence[str] | NDArray[np.str_], persons: NDArray[np.str_]
) -> tuple[DimensionGroupScore, ...]:
    """Scores of every group, sorted by name; ``kinds`` and ``persons`` (clips,) name group and speaker."""
    of = np.asarray(kinds, dtype=str)
    found = []
    for name in np.unique(of):
        within = of == name
        sums = AgreementSums.of(true[within], predicted[within])
        by_speaker = AgreementSums.of(true[within], predicted[within], _indices(persons[within]))
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
