"""Samples: which view of which clip is read, for one side of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import RunError
from training.samples.targets import NO_CLASS, Targets
from training.splits.side import ORIGINAL_VIEW, SIDES, Side
from training.splits.split import Split


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one side: sample ``i`` is view ``views[i]`` of clip ``clips[i]``.

    ``clips`` (n,) int64 are rows of the manifest, ``views`` (n,) int64 view indices, and ``targets`` (n,)
    int64 class indices.
    """

    clips: NDArray[np.int64]
    views: NDArray[np.int64]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def view_indices(self) -> tuple[int, ...]:
        """Views that occur, ascending."""
        return tuple(int(view) for view in np.unique(self.views))


def samples_of(
    split: Split, manifest: pd.DataFrame, targets: Targets, views: Sequence[int]
) -> dict[Side, Samples]:
    """Samples of each side: training in all ``views``, validation and test only in the original view.

    If the split assigns views to sides, it decides instead. Raises :class:`RunError` if no clip of a side has
    a class.
    """
    samples: dict[Side, Samples] = {}
    for side in SIDES:
        if split.views is None:
            clips = split.positions(manifest, side)
            clips = clips[targets.classes[clips] != NO_CLASS]
            read = cross(clips, targets.classes[clips], views if side == "train" else (ORIGINAL_VIEW,))
        else:
            clips, indices = split.view_positions(manifest, side)
            kept = targets.classes[clips] != NO_CLASS
            read = Samples(clips[kept], indices[kept], targets.classes[clips[kept]])
        if not len(read):
            raise RunError(
                f"no clip of the {side} side is from the recipe's corpora and has a class in its label set; "
                "use other corpora, another label set, another seed, or a store with more speakers"
            )
        samples[side] = read
    return samples


def cross(clips: NDArray[np.int64], targets: NDArray[np.int64], views: Sequence[int]) -> Samples:
    """Every clip in every view, view by view, as a store is laid out on disk.

    ``clips`` (n,) and ``targets`` (n,) belong together; the result has n · len(views) samples.
    """
    return Samples(
        clips=np.tile(clips, len(views)),
        views=np.repeat(np.asarray(views, dtype=np.int64), len(clips)),
        targets=np.tile(targets, len(views)),
    )
