"""Samples: which view of which clip is read, for one side of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["train", "validation", "test"]
"""A side of a split."""

SIDES: tuple[Side, ...] = ("train", "validation", "test")

ORIGINAL_VIEW = 0
"""Validation and test read this view alone."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What is read for one side: sample ``i`` is view ``views[i]`` of clip ``clips[i]``.

    ``clips`` (n,) int64 are positions in the manifest, ``views`` (n,) int64 view indices and
    ``targets`` (n,) int64 class indices.
    """

    clips: NDArray[np.int64]
    views: NDArray[np.int64]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def view_indices(self) -> tuple[int, ...]:
        """Views that are read at all, ascending."""
        return tuple(int(view) for view in np.unique(self.views))


def cross(clips: NDArray[np.int64], targets: NDArray[np.int64], views: Sequence[int]) -> Samples:
    """Every clip in every view, view by view: the order in which a store lies on disk.

    ``clips`` (n,) and ``targets`` (n,) belong together; the result has n · len(views) samples.
    """
    return Samples(
        clips=np.tile(clips, len(views)),
        views=np.repeat(np.asarray(views, dtype=np.int64), len(clips)),
        targets=np.tile(targets, len(views)),
    )
