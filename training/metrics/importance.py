"""Permutation importance: how much UA falls if a part of a model's input comes from another clip. No torch.

Breiman 2001, doi:10.1023/A:1010933404324, with UA as the measure: the UA of the test clips minus their mean
UA over several permutations of one part of the input. A part that the model ignores has an importance of 0.
If two parts carry the same information, the model can use either, and each looks less important than it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.described.description import person_of
from schemas.errors import RunError
from training.metrics.bootstrap import Interval, drop_interval
from training.metrics.confusion import ConfusionCounts, confusions


@dataclass(frozen=True)
class PartImportance:
    """Importance of one part of the input, such as a feature or a layer of an encoder."""

    name: str
    drop: float
    """UA of the unchanged clips minus the mean UA over the permutations, −1…1."""
    drops: tuple[float, ...]
    """The same for each permutation."""
    interval: Interval | None
    """Of ``drop``, over the test speakers; None if they are too few."""


@dataclass(frozen=True)
class Importance:
    """Importance of every part of the input of a model, or of the models of several folds."""

    ua: float
    """Of the unchanged clips, over emotions."""
    clips: int
    speakers: int
    repeats: int
    parts: tuple[PartImportance, ...]
    """In the order in which the model reads them."""

    @property
    def ranked(self) -> tuple[PartImportance, ...]:
        """The most important part first."""
        return tuple(sorted(self.parts, key=lambda part: -part.drop))


@dataclass(frozen=True, eq=False)
class PermutationCounts:
    """Confusion matrices of each speaker, unchanged and with each part permuted.

    ``unchanged`` (speakers, classes, classes) int64, over emotions, in the order of ``speakers``;
    ``permuted`` : part → (repeats, speakers, classes, classes) int64.
    """

    speakers: tuple[str, ...]
    unchanged: NDArray[np.int64]
    permuted: Mapping[str, NDArray[np.int64]]

    @classmethod
    def of(
        cls,
        speakers: Sequence[str],
        true: NDArray[np.int64],
        unchanged: NDArray[np.int64],
        permuted: Mapping[str, Sequence[NDArray[np.int64]]],
        classes: int,
    ) -> PermutationCounts:
        """Count predictions.

        ``speakers``, ``true`` and ``unchanged`` (clips,) : speaker, class index, and predicted class index of
        each clip; ``permuted`` : part → predictions (clips,) of each repeat. A speaker of two corpora is one.
        """
        names, group = np.unique([person_of(str(name)) for name in speakers], return_inverse=True)
        return cls(
            speakers=tuple(map(str, names)),
            unchanged=confusions(true, unchanged, classes, group),
            permuted={
                part: np.stack([confusions(true, each, classes, group) for each in repeats])
                for part, repeats in permuted.items()
            },
        )

    @classmethod
    def pool(cls, folds: Sequence[PermutationCounts]) -> PermutationCounts:
        """The test clips of all folds as one test; a speaker of several folds is one.

        Raises :class:`RunError` if the folds differ in the parts of their input, or in repeats or classes.
        """
        first = folds[0]
        for fold in folds:
            if fold.shape != first.shape:
                raise RunError(
                    "the folds differ in the features or layers that they read, so their importance cannot "
                    "be pooled; train all folds with the same recipe"
                )
        names = sorted({name for fold in folds for name in fold.speakers})
        unchanged = np.zeros((len(names), *first.unchanged.shape[1:]), np.int64)
        permuted = {
            part: np.zeros((len(counts), *unchanged.shape), np.int64)
            for part, counts in first.permuted.items()
        }
        for fold in folds:
            rows = [names.index(name) for name in fold.speakers]
            unchanged[rows] += fold.unchanged
            for part, counts in fold.permuted.items():
                permuted[part][:, rows] += counts
        return cls(tuple(names), unchanged, permuted)

    @property
    def shape(self) -> tuple[object, ...]:
        """Numbers of classes and of repeats of each part, which pooled folds must share."""
        each = ((part, len(counts)) for part, counts in self.permuted.items())
        return self.unchanged.shape[1:], *each

    def importance(self) -> Importance:
        """UA, and the fall of UA with each part permuted."""
        ua = float(ConfusionCounts.of(self.unchanged.sum(axis=0)).ua)
        parts = []
        for name, counts in self.permuted.items():
            drops = ua - ConfusionCounts.of(counts.sum(axis=1)).ua
            interval = drop_interval(self.unchanged, counts)
            parts.append(PartImportance(name, float(drops.mean()), tuple(drops.tolist()), interval))
        return Importance(
            ua=ua,
            clips=int(self.unchanged.sum()),
            speakers=len(self.speakers),
            repeats=max((len(counts) for counts in self.permuted.values()), default=0),
            parts=tuple(parts),
        )
