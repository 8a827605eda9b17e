"""Check that the samples about to be read are those that the split allows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.messages.counts import format_count
from training.audits.overlap import MOST_NAMED, Overlaps
from training.samples.samples import Samples
from training.splits.side import ORIGINAL_VIEW, SIDES, Side
from training.splits.split import Split


def check_view_source(split: Split, manifest: pd.DataFrame, samples: Mapping[Side, Samples]) -> Overlaps:
    """Find samples of clips from another side, and augmented views in validation and test.

    If the split assigns views to sides, samples must follow it; recordings with views on several sides are
    then admitted.
    """
    leaks = 0
    sentences: list[str] = []
    for name, read in samples.items():
        for wrong, what in _strays(split, manifest, name, read):
            leaks += int(wrong.sum())
            sentences += _describe(manifest, read, wrong, what)
    shared: list[str] = []
    if split.views is not None:
        twice = _on_two_sides(split.views)
        leaks += len(twice)
        sentences += twice
        shared = _shared_recordings(samples)
    return Overlaps(leaks, len(shared), tuple([*sentences, *shared][:MOST_NAMED]))


def _strays(
    split: Split, manifest: pd.DataFrame, name: Side, read: Samples
) -> list[tuple[NDArray[np.bool_], str]]:
    """Masks (samples,) of the samples that do not belong on a side, and the reason."""
    if split.views is not None:
        count = 1 + max([int(read.views.max(initial=0))] + [max(v) for v in split.views[name].values()])
        allowed = np.zeros((len(manifest), count), dtype=bool)
        allowed[split.view_positions(manifest, name)] = True
        return [(~allowed[read.clips, read.views], f"is read in {name}, but was not drawn for that side")]
    on_side = np.zeros(len(manifest), dtype=bool)
    on_side[split.positions(manifest, name)] = True
    strays = [(~on_side[read.clips], f"is read in {name}, but the clip is on another side")]
    if name != "train":
        strays.append((read.views != ORIGINAL_VIEW, f"is read in {name}"))
    return strays


def _describe(manifest: pd.DataFrame, read: Samples, wrong: NDArray[np.bool_], what: str) -> list[str]:
    first = np.flatnonzero(wrong)[:MOST_NAMED]
    clip_ids = manifest["clip_id"].to_numpy()[read.clips[first]]
    return [f"view {view} of {clip} {what}" for clip, view in zip(clip_ids, read.views[first], strict=True)]


def _on_two_sides(drawn_views: Mapping[Side, Mapping[str, tuple[int, ...]]]) -> list[str]:
    drawn = {
        side: {(clip, view) for clip, views in drawn_views[side].items() for view in views} for side in SIDES
    }
    return [
        f"view {view} of {clip} is on {one} and {other}"
        for one, other in combinations(SIDES, 2)
        for clip, view in sorted(drawn[one] & drawn[other])
    ]


def _shared_recordings(samples: Mapping[Side, Samples]) -> list[str]:
    clips = {side: np.unique(read.clips) for side, read in samples.items()}
    counts = [
        (one, other, len(np.intersect1d(clips[one], clips[other]))) for one, other in combinations(clips, 2)
    ]
    return [
        f"views of {format_count(n, 'recording')} are read in {one} and {other}"
        for one, other, n in counts
        if n
    ]
