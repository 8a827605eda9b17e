"""The clips from which a report computes what would take too long, or too much memory, for all clips."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from schemas.clip import Status

MOST_CLIPS = 2_000
"""Clips in a sample."""


@dataclass(frozen=True)
class ClipSample:
    """``positions``: (n,) int64, ascending, in the manifest. ``usable``: usable clips of the whole store."""

    positions: npt.NDArray[np.int64]
    usable: int


def sample_clips(manifest: pd.DataFrame, most: int = MOST_CLIPS) -> ClipSample:
    """Choose at most ``most`` usable clips, as many of each corpus as there are, up to equal shares.

    Within a corpus, the clips whose ids have the smallest SHA-256 are chosen. This depends on no random
    state, and has nothing to do with the order of speakers and emotions.
    """
    usable = np.flatnonzero((manifest["status"] == Status.OK).to_numpy())
    datasets = manifest["dataset"].to_numpy()[usable]
    groups = [usable[np.asarray(datasets == name)] for name in sorted(set(datasets))]
    shares = share_out(most, [len(group) for group in groups])
    ids = manifest["clip_id"]
    chosen = [
        position
        for group, count in zip(groups, shares, strict=True)
        for position in sorted(group.tolist(), key=lambda p: _hash(str(ids.iloc[p])))[:count]
    ]
    return ClipSample(np.array(sorted(chosen), np.int64), len(usable))


def share_out(total: int, sizes: list[int]) -> list[int]:
    """Share ``total`` out among groups: equal parts, and what small groups leave goes to larger ones."""
    shares, left = [0] * len(sizes), total
    by_size = sorted(range(len(sizes)), key=lambda index: (sizes[index], index))
    for done, index in enumerate(by_size):
        shares[index] = min(sizes[index], left // (len(sizes) - done))
        left -= shares[index]
    return shares


def _hash(clip_id: str) -> bytes:
    return hashlib.sha256(clip_id.encode()).digest()
