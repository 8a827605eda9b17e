"""Functionals: what each coefficient does over a clip, as a few numbers (Schuller et al. 2011).

::

    store ──▶ run of ≤ 256 samples (n, C, T) ──▶ functionals over the valid frames (n, F · C) ──▶ table

A run at a time is in memory, beside the table. numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.architecture import Functional
from training.samples import Samples

RUN = 256
"""Samples that are read at once, at most: 23 MB a run at 170 × 130 float32."""


@dataclass(frozen=True, eq=False)
class FunctionalTable:
    """``values`` (n, F · C) float32 of n samples, and their classes ``targets`` (n,) int64.

    ``columns`` name them, functional by functional: ``mel[0] mean``, …, ``zcr[0] mean``, ``mel[0] std``, ….
    """

    values: NDArray[np.float32]
    targets: NDArray[np.int64]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)


def read_functionals(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    functionals: Sequence[Functional],
    loaded: Callable[[int], None] = lambda _: None,
) -> FunctionalTable:
    """Functionals of ``samples`` of ``store``, in their order, over the coefficients of ``features``.

    ``loaded`` is called with the number of samples after every run. Raises what
    :meth:`featurestore.store.FeatureStore.read` raises.
    """
    rows = [f"{feature}[{row}]" for feature in features for row in range(store.spec.coefficients[feature])]
    columns = tuple(f"{row} {functional}" for functional in functionals for row in rows)
    values = np.empty((len(samples), len(columns)), dtype=np.float32)
    for run in _runs(samples):
        clips, view = samples.clips[run], int(samples.views[run[0]])
        arrays = store.read(clips, views=(view,), features=tuple(features))
        stacked = np.concatenate([arrays[feature][0] for feature in features], axis=1)
        valid = store.valid_frames(clips, views=(view,))[0]
        values[run] = functionals_of(stacked, valid, functionals)
        loaded(len(run))
    return FunctionalTable(values, samples.targets, columns)


def functionals_of(
    features: NDArray[np.floating], valid_frames: NDArray[np.int64], functionals: Sequence[Functional]
) -> NDArray[np.float32]:
    """Functionals of ``features`` (n, C, T) over the first ``valid_frames`` (n,), at least one: (n, F · C).

    ``std`` is that of the population; ``p10`` to ``p90`` are percentiles with linear interpolation; ``slope``
    is that of the least-squares line, a frame, and 0 of a single frame. What stands in padded frames does not
    matter.
    """
    over = _ValidFrames(features, np.maximum(valid_frames, 1))
    return np.concatenate([over.functional(name) for name in functionals], axis=1).astype(np.float32)


class _ValidFrames:
    """Functionals over the valid frames of ``features`` (n, C, T), each (n, C)."""

    def __init__(self, features: NDArray[np.floating], valid_frames: NDArray[np.int64]) -> None:
        self._values = features.astype(np.float32)
        self._count = valid_frames[:, None].astype(np.float64)
        self._valid = (np.arange(features.shape[2]) < valid_frames[:, None])[:, None, :]
        self._sorted: NDArray[np.float32] | None = None

    def functional(self, name: Functional) -> NDArray[np.floating]:
        match name:
            case "mean":
                return self._mean(self._values)
            case "std":
                centred = self._values - self._mean(self._values)[..., None]
                return np.asarray(np.sqrt(self._mean(np.square(centred))))
            case "min":
                return np.asarray(self._filled(self._values, np.inf).min(axis=2))
            case "max":
                return np.asarray(self._filled(self._values, -np.inf).max(axis=2))
            case "p10" | "p50" | "p90":
                return self._percentile(int(name[1:]) / 100)
            case "slope":
                return self._slope()

    def _filled(self, values: NDArray[np.floating], padding: float) -> NDArray[np.floating]:
        return np.where(self._valid, values, values.dtype.type(padding))

    def _mean(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = self._filled(values, 0).sum(axis=2, dtype=np.float64)
        return total / self._count

    def _percentile(self, share: float) -> NDArray[np.float64]:
        if self._sorted is None:
            self._sorted = np.sort(self._filled(self._values, np.inf), axis=2).astype(np.float32)
        place = share * (self._count - 1)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, self._count.astype(np.int64) - 1)
        low, high = (
            np.take_along_axis(self._sorted, at[..., None], axis=2)[..., 0].astype(np.float64)
            for at in (below, above)
        )
        return low + (place - below) * (high - low)

    def _slope(self) -> NDArray[np.float64]:
        frame = np.arange(self._values.shape[2]) - (self._count - 1) / 2
        product = self._filled(self._values, 0) * frame[:, None, :]
        squares = self._count * (np.square(self._count) - 1) / 12
        return np.asarray(product.sum(axis=2) / np.where(squares > 0, squares, 1))


def _runs(samples: Samples) -> Iterator[NDArray[np.int64]]:
    """Places of samples of one view and ascending clips, ≤ 256 at a time: few chunks are decoded twice."""
    order = np.lexsort((samples.clips, samples.views))
    for view in samples.view_indices:
        of_view = order[samples.views[order] == view]
        for start in range(0, len(of_view), RUN):
            yield of_view[start : start + RUN]
