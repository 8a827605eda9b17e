"""Confusion matrices of groups of clips, and the rates of one or many matrices. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def confusions(
    true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int, group: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Confusion matrix of every group: ``[g, i, j]`` counts clips of class i that were predicted as class j.

    ``true``, ``predicted`` and ``group`` (clips,) are indices; the result is (groups, classes, classes).
    """
    groups = int(group.max()) + 1
    cells = (group * classes + true) * classes + predicted
    return np.bincount(cells, minlength=groups * classes**2).reshape(groups, classes, classes)


@dataclass(frozen=True, eq=False)
class ConfusionCounts:
    """Clips of each class: correctly predicted (``hits``), ``true`` and ``predicted``.

    Each (…, classes) float64, whole numbers; leading axes index several matrices. Rates are 0 where they
    would divide by 0.
    """

    hits: NDArray[np.float64]
    true: NDArray[np.float64]
    predicted: NDArray[np.float64]

    @classmethod
    def of(cls, matrices: NDArray[np.int64]) -> ConfusionCounts:
        """ConfusionCounts of confusion matrices (…, classes, classes)."""
        return cls(
            hits=np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64),
            true=matrices.sum(axis=-1).astype(np.float64),
            predicted=matrices.sum(axis=-2).astype(np.float64),
        )

    def weight(self, weights: NDArray[np.float64]) -> ConfusionCounts:
        """Sums over the groups of (groups, classes) counts, weighted by each row of (sums, groups)."""
        return ConfusionCounts(weights @ self.hits, weights @ self.true, weights @ self.predicted)

    @property
    def precision(self) -> NDArray[np.float64]:
        """(…, classes): share of the clips predicted as a class that are of it."""
        return _share(self.hits, self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """(…, classes): share of a class's clips that were recognised."""
        return _share(self.hits, self.true)

    @property
    def f1(self) -> NDArray[np.float64]:
        """(…, classes): harmonic mean of precision and recall."""
        return _share(2 * self.hits, self.true + self.predicted)

    @property
    def ua(self) -> NDArray[np.float64]:
        """(…): mean recall of the classes that have clips."""
        return self._over_present(self.recall)

    @property
    def wa(self) -> NDArray[np.float64]:
        """(…): accuracy."""
        return _share(self.hits.sum(axis=-1), self.true.sum(axis=-1))

    @property
    def macro_f1(self) -> NDArray[np.float64]:
        """(…): mean F1 of the classes that have clips."""
        return self._over_present(self.f1)

    def _over_present(self, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        present = self.true > 0
        return _share((rates * present).sum(axis=-1), present.sum(axis=-1).astype(np.float64))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def unweighted_average_recall(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean over the classes in ``true`` of the share of their clips that were recognised."""
    correct = true == predicted
    return float(np.mean([correct[true == present].mean() for present in np.unique(true)]))
