"""Moments and ranges of every coefficient over the valid frames of training clips.

::

    training clips = all usable clips of their speakers  ──▶ the store's statistics, exact, no array read
    otherwise (clips of a speaker on several sides, or      ──▶ read from the training clips, 256 at a time
    left out by a filter or a label set)

The store keeps its statistics per speaker. If the clips of a speaker are on several sides, these statistics
would include held-out clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from featurestore.format.statistics import Statistics, merge
from featurestore.store import FeatureStore
from schemas.clip import Status

RUN_CLIPS = 256
"""Clips read at a time: 45 MB in float64 at 170 × 130."""

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
Range = tuple[NDArray[np.float32], NDArray[np.float32]]


def moments(
    store: FeatureStore, clips: NDArray[np.int64], views: Sequence[int], features: Sequence[str]
) -> Moments:
    """Mean and population standard deviation, (C,) each, over ``clips`` (rows) in ``views``.

    ``features`` are stacked in order. No other clips are used.
    """
    speakers = _whole_speakers(store, clips)
    if speakers is None:
        read = _read_moments(store, clips, views, features)
        return read.mean, read.std
    held = store.statistics(speakers, views)
    return (
        np.concatenate([held[feature].mean for feature in features]),
        np.concatenate([held[feature].std for feature in features]),
    )


def extremes(
    store: FeatureStore, clips: NDArray[np.int64], views: Sequence[int], features: Sequence[str]
) -> Range:
    """Lowest and highest value, (C,) each, over ``clips`` (rows) in ``views``, which are all read."""
    ranges = ((run.min(axis=0), run.max(axis=0)) for run in _valid_frames(store, clips, views, features))
    return reduce(lambda one, two: (np.minimum(one[0], two[0]), np.maximum(one[1], two[1])), ranges)


def _whole_speakers(store: FeatureStore, clips: NDArray[np.int64]) -> list[str] | None:
    """Speakers of ``clips`` if these are all their usable clips, else None."""
    manifest = store.manifest
    speakers = sorted(manifest["speaker"].iloc[clips].unique())
    usable = manifest["speaker"].isin(speakers) & (manifest["status"] == Status.OK)
    return speakers if np.array_equal(np.flatnonzero(usable), np.unique(clips)) else None


def _read_moments(
    store: FeatureStore, clips: NDArray[np.int64], views: Sequence[int], features: Sequence[str]
) -> Statistics:
    counts, means, m2s = [], [], []
    for run in _valid_frames(store, clips, views, features):
        values = run.astype(np.float64)
        mean = values.mean(axis=0)
        values -= mean
        counts.append(len(values))
        means.append(mean)
        m2s.append(np.einsum("fc,fc->c", values, values))
    return merge(np.array(counts), np.array(means), np.array(m2s))


def _valid_frames(
    store: FeatureStore, clips: NDArray[np.int64], views: Sequence[int], features: Sequence[str]
) -> Iterator[NDArray[np.float32]]:
    """Valid frames of blocks of ``RUN_CLIPS`` clips in one view: (frames, C) float32."""
    ascending = np.unique(clips)
    for view in views:
        for first in range(0, len(ascending), RUN_CLIPS):
            run = ascending[first : first + RUN_CLIPS]
            arrays = store.read(run, views=(view,), features=tuple(features))
            stacked = np.concatenate([arrays[feature][0] for feature in features], axis=1)
            valid = store.valid_frames(run, (view,), features[0])[0]
            yield np.concatenate(
                [clip[:, :frames].T.astype(np.float32) for clip, frames in zip(stacked, valid, strict=True)]
            )
