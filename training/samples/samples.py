"""Samples: which view of which clip is read, for one side of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import RunError
from training.samples.dimensions import DimensionTargets
from training.samples.targets import Targets
from training.splits.side import ORIGINAL_VIEW, SIDES, Side
from training.splits.split import Split

SampleTargets = NDArray[np.int64] | NDArray[np.float64]
"""What is learnt of each sample: classes (n,) int64, or values of dimensions (n, dimensions) float64."""

AnyTargets = Targets | DimensionTargets
"""What is learnt of each clip of a manifest."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one side: sample ``i`` is view ``views[i]`` of clip ``clips[i]``.

    ``clips`` (n,) int64 are rows of the manifest, ``views`` (n,) int64 view indices, and ``targets`` class
    indices (n,) int64, or values (n, dimensions) float64.
    """

    clips: NDArray[np.int64]
    views: NDArray[np.int64]
    targets: SampleTargets

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def classes(self) -> NDArray[np.int64]:
        """(n,) int64 class indices. Raises TypeError if the samples have values instead."""
        if self.targets.ndim != 1:
            raise TypeError("these samples have values of dimensions, not classes")
        return self.targets.astype(np.int64, copy=False)

    @property
    def values(self) -> NDArray[np.float64]:
        """(n, dimensions) float64. Raises TypeError if the samples have classes instead."""
        if self.targets.ndim != 2:
            raise TypeError("these samples have classes, not values of dimensions")
        return self.targets.astype(np.float64, copy=False)

    @property
    def view_indices(self) -> tuple[int, ...]:
        """Views that occur, ascending."""
        return tuple(int(view) for view in np.unique(self.views))


def samples_of(
    split: Split, manifest: pd.DataFrame, targets: AnyTargets, views: Sequence[int]
) -> dict[Side, Samples]:
    """Samples of each side: training in all ``views``, validation and test only in the original view.

    If the split assigns views to sides, it decides instead. Raises :class:`RunError` if no clip of a side has
    a target.
    """
    kept_clips, of_clips = targets.kept, targets.of_clips
    samples: dict[Side, Samples] = {}
    for side in SIDES:
        if split.views is None:
            clips = split.positions(manifest, side)
            clips = clips[kept_clips[clips]]
            read = cross(clips, of_clips[clips], views if side == "train" else (ORIGINAL_VIEW,))
        else:
            clips, indices = split.view_positions(manifest, side)
            kept = kept_clips[clips]
            read = Samples(clips[kept], indices[kept], of_clips[clips[kept]])
        if not len(read):
            raise RunError(_no_clips(side, targets))
        samples[side] = read
    return samples


def _no_clips(side: Side, targets: AnyTargets) -> str:
    if isinstance(targets, DimensionTargets):
        return (
            f"no clip of the {side} side is from the recipe's corpora and has values of "
            f"{', '.join(targets.names)}; use other corpora, other dimensions, another seed, or a store with "
            f"more speakers"
        )
    return (
        f"no clip of the {side} side is from the recipe's corpora and has a class in its label set; "
        "use other corpora, another label set, another seed, or a store with more speakers"
    )


def cross(clips: NDArray[np.int64], targets: SampleTargets, views: Sequence[int]) -> Samples:
    """Every clip in every view, view by view, as a store is laid out on disk.

    ``clips`` (n,) and ``targets`` (n, …) belong together; the result has n · len(views) samples.
    """
    return Samples(
        clips=np.tile(clips, len(views)),
        views=np.repeat(np.asarray(views, dtype=np.int64), len(clips)),
        targets=np.concatenate([targets] * len(views)),
    )
