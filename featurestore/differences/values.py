"""Differences between the arrays of two stores, measured without ever holding whole arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from featurestore.format.layout import shard_path
from featurestore.progress import Progress
from featurestore.store import FeatureStore
from schemas.clip import Status
from schemas.spec import StoreSpec

MOST_VALUES = 1 << 23
"""Values of each store held at a time, unless one chunk (32 clips) has more."""


@dataclass(frozen=True)
class Spot:
    """One value of an array: its clip, view, coefficient and frame, and what each store holds there."""

    clip_id: str
    view: str
    coefficient: int
    frame: int
    a: float
    b: float


@dataclass(frozen=True)
class ValueDifference:
    """How much one feature of one view differs, in the unit of the feature; 0 if it does not.

    ``largest`` is the largest absolute error, found at ``spot`` (None if nothing differs). ``rms`` is the
    root mean square error over all values of all ``clips``. Both are infinite if one store has a number where
    the other has NaN. ``differing`` counts the clips in which at least one value differs.
    """

    feature: str
    view: str
    clips: int
    differing: int
    largest: float
    rms: float
    spot: Spot | None


@dataclass(frozen=True)
class Numbers:
    """The values of all clips that are usable in both stores.

    ``measured``: one entry for each feature and view that both stores have. ``incomparable``: feature → why
    its values cannot be compared. A shard of A counts as equal by hash, and is not decoded, if B holds the
    same bytes for the same rows.
    """

    clips: int
    measured: tuple[ValueDifference, ...]
    incomparable: Mapping[str, str]
    shards_read: int
    shards_equal: int

    @property
    def differing(self) -> tuple[ValueDifference, ...]:
        """The entries of ``measured`` in which at least one value differs."""
        return tuple(difference for difference in self.measured if difference.differing)


def compare_values(
    a: FeatureStore, b: FeatureStore, clips_a: pd.DataFrame, clips_b: pd.DataFrame, progress: Progress
) -> Numbers:
    """Compare the arrays of two stores.

    ``clips_a`` and ``clips_b`` are the rows of both manifests for the clips that both stores have, in the
    same order, indexed by :func:`featurestore.differences.tables.index_by_clip`. Raises what
    :meth:`FeatureStore.read` raises.
    """
    usable = ((clips_a["status"] == Status.OK) & (clips_b["status"] == Status.OK)).to_numpy()
    clips_a, clips_b = clips_a[usable], clips_b[usable]
    size = a.spec.storage.shard_clips
    shared = [name for name in a.spec.coefficients if name in b.spec.coefficients]
    reasons = {name: _why_incomparable(a.spec, b.spec, name) for name in shared}
    sizes = {name: math.prod(a.spec.shapes[name]) for name in shared if not reasons[name]}
    views = [view for view in a.spec.view_names if view in b.spec.view_names]
    sums = {(name, view): _ErrorSums(name, view) for name in sizes for view in views}
    same_row = ((clips_a["dataset"] == clips_b["dataset"]) & (clips_a["row"] == clips_b["row"])).to_numpy()
    units = cast(
        "Mapping[tuple[str, int], npt.NDArray[np.intp]]",
        clips_a.groupby([clips_a["dataset"], clips_a["row"] // size]).indices,
    )
    read = 0
    with progress.task("compare", len(clips_a), "clips") as advance:
        for (dataset, unit), members in sorted(units.items(), key=lambda item: item[0]):
            for (name, view), errors in sums.items():
                indices = a.spec.view_names.index(view), b.spec.view_names.index(view)
                layers = range(a.spec.layer_counts[name])
                shards = [[shard_path(dataset, name, index, unit, k) for k in layers] for index in indices]
                if same_row[members].all() and _equal_by_hash(a, b, *shards):
                    continue
                read += len(layers)
                step = max(a.spec.storage.chunk_clips, MOST_VALUES // sizes[name])
                for first in range(0, len(members), step):
                    part = members[first : first + step]
                    left, right = (
                        store.read(rows["position"].to_numpy()[part], (index,), (name,))[name][0]
                        for store, rows, index in zip((a, b), (clips_a, clips_b), indices, strict=True)
                    )
                    errors.add(left, right, clips_a.index[part])
            advance(len(members))
    return Numbers(
        clips=len(clips_a),
        measured=tuple(s.difference(len(clips_a), sizes[name]) for (name, _), s in sums.items()),
        incomparable={name: reason for name, reason in reasons.items() if reason},
        shards_read=read,
        shards_equal=len(units) * sum(a.spec.layer_counts[name] for name, _ in sums) - read,
    )


def _why_incomparable(a: StoreSpec, b: StoreSpec, feature: str) -> str:
    """Why the arrays of a feature have different shapes, layers or statistics; empty if they do not."""
    pairs = zip(("coefficients", "frames"), a.shapes[feature], b.shapes[feature], strict=True)
    other = [f"{left} {what} in A, {right} in B" for what, left, right in pairs if left != right]
    encoders = [{one.name: one for one in spec.encoders}.get(feature) for spec in (a, b)]
    if None not in encoders:
        left, right = ((one.all_layers, one.pooling) for one in encoders if one is not None)
        if left[0] != right[0]:
            other.append(f"layers {_list(left[0])} in A, {_list(right[0])} in B")
        if left[1] != right[1]:
            other.append(f"{left[1]} in A, {right[1]} in B")
    return "; ".join(other)


def _list(layers: Sequence[int]) -> str:
    return ", ".join(map(str, layers))


def _equal_by_hash(
    a: FeatureStore, b: FeatureStore, shards_a: Sequence[str], shards_b: Sequence[str]
) -> bool:
    """Whether both stores hold the same bytes in these shards."""
    left = [a.document.objects.get(shard) for shard in shards_a]
    right = [b.document.objects.get(shard) for shard in shards_b]
    return None not in left and left == right and a.spec.storage == b.spec.storage


class _ErrorSums:
    """The errors of one feature in one view, accumulated block by block."""

    def __init__(self, feature: str, view: str) -> None:
        self._feature, self._view = feature, view
        self._differing = 0
        self._squares = 0.0
        self._spot: Spot | None = None
        self._largest = 0.0

    def add(self, a: npt.NDArray[np.floating], b: npt.NDArray[np.floating], clips: pd.Index[str]) -> None:
        """Add the errors between two (clip, coefficient, frame) blocks of the same clips."""
        unequal = (a != b).any(axis=(1, 2))
        if not unequal.any():
            return
        a, b, clips = a[unequal], b[unequal], clips[unequal]
        errors = _errors(a, b)
        self._differing += int((errors.max(axis=(1, 2)) > 0).sum())
        if errors.max() > self._largest:
            self._largest = float(errors.max())
            at = np.unravel_index(int(errors.argmax()), errors.shape)
            clip, coefficient, frame = (int(index) for index in at)
            self._spot = Spot(str(clips[clip]), self._view, coefficient, frame, float(a[at]), float(b[at]))
        self._squares += float(np.square(errors, out=errors).sum())

    def difference(self, clips: int, numbers: int) -> ValueDifference:
        """The result over ``clips`` clips of ``numbers`` values each."""
        rms = math.sqrt(self._squares / (clips * numbers)) if clips else 0.0
        return ValueDifference(
            self._feature, self._view, clips, self._differing, self._largest, rms, self._spot
        )


def _errors(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """|a − b| in float64; 0 where both are NaN or the same infinity, infinite if only one is NaN."""
    with np.errstate(invalid="ignore"):
        errors: npt.NDArray[np.float64] = np.subtract(a, b, dtype=np.float64)
    np.abs(errors, out=errors)
    undefined = np.isnan(errors)
    if undefined.any():
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        errors[undefined] = np.where(equal[undefined], 0.0, np.inf)
    return errors
