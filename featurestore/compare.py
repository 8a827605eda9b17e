"""What differs between two stores: specification, corpora, clips, views, and the numbers themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from featurestore.format.layout import shard_path
from featurestore.progress import Progress, Silent
from featurestore.store import FeatureStore
from schemas.clip import Status
from schemas.spec import StoreSpec
from schemas.tables import MANIFEST_SCHEMA, VIEWS_SCHEMA

ABSENT = "absent"
"""Stands for the value of a field that one of the two stores does not have."""

MOST_VALUES = 1 << 23
"""Numbers of each store that are held at a time, unless 32 clips (one chunk) are more."""

_LAYOUT = {"rows", "units", "part_of"}
_DRAWN = ("parameter", "key", "valid_frames")


@dataclass(frozen=True)
class OnlyIn:
    """Names that one store has and the other has not; false where there are none."""

    a: tuple[str, ...]
    b: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.a or self.b)


@dataclass(frozen=True)
class FieldDifference:
    """A field, as ``audio.trim_db`` or ``views.noise.snr_db``, with its value in both stores."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class ColumnDifference:
    """A column of the manifest, or of the views' table (``view`` is set), and the clips where it differs.

    ``a`` and ``b`` hold the values of ``clips``, one each; None stands for no value.
    """

    column: str
    view: str | None
    clips: tuple[str, ...]
    a: tuple[Any, ...]
    b: tuple[Any, ...]


@dataclass(frozen=True)
class Spot:
    """One number of a store: its clip, view, coefficient and frame, and what both stores hold there."""

    clip_id: str
    view: str
    coefficient: int
    frame: int
    a: float
    b: float


@dataclass(frozen=True)
class ValueDifference:
    """How far a feature of a view differs, in the feature's unit; 0 where it does not.

    ``largest`` is the largest absolute error, at ``spot`` (None where no number differs), ``rms`` the root of
    the mean squared error over all numbers of all ``clips``. Infinite where one store has a number and the
    other NaN. ``differing`` counts the clips of which at least one number differs.
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
    """The numbers of all clips that are usable in both stores.

    ``measured``: each feature and view that both have. ``incomparable``: feature → why its numbers cannot be
    set against each other. A shard (of A) is equal by hash where B has the same bytes for the same rows: it
    is not read.
    """

    clips: int
    measured: tuple[ValueDifference, ...]
    incomparable: Mapping[str, str]
    shards_read: int
    shards_equal: int

    @property
    def differing(self) -> tuple[ValueDifference, ...]:
        """Those of ``measured`` where at least one number differs."""
        return tuple(difference for difference in self.measured if difference.differing)


@dataclass(frozen=True)
class Comparison:
    """All that differs between the stores A and B. Rows and the order of features and views do not count."""

    digests: tuple[str, str]
    spec: tuple[FieldDifference, ...]
    """Fields of the specification; features and views by name. ``feature_version`` is that of the code."""
    features_only: OnlyIn
    views_only: OnlyIn
    corpora_only: OnlyIn
    corpora: tuple[FieldDifference, ...]
    """What ``store.json`` says of corpora that both have."""
    clips_only: OnlyIn
    """Clip ids."""
    columns: tuple[ColumnDifference, ...]
    """Labels, audio hash, status and all else that the manifest says of clips that both have."""
    drawn: tuple[ColumnDifference, ...]
    """Parameters, keys of the random streams and valid frames of clips and views that both have."""
    numbers: Numbers | None
    """None where they were not compared."""
    libraries: tuple[FieldDifference, ...]
    """What the stores were built by. For information: no difference of the stores."""

    @property
    def identical(self) -> bool:
        """Whether the digests are equal: then every byte is, and the layout too."""
        return self.digests[0] == self.digests[1]

    @property
    def same(self) -> bool:
        """Whether nothing differs in all that was compared, wherever the stores keep it."""
        return not (
            self.spec
            or self.features_only
            or self.views_only
            or self.corpora_only
            or self.corpora
            or self.clips_only
            or self.columns
            or self.drawn
            or (self.numbers and (self.numbers.differing or self.numbers.incomparable))
        )


def compare(
    a: FeatureStore, b: FeatureStore, progress: Progress | None = None, *, values: bool = True
) -> Comparison:
    """Compare two stores, clip by clip under their ids; ``values`` False leaves the arrays alone.

    The arrays are read a unit of A (256 clips) at a time and one feature of one view at a time, at most
    :data:`MOST_VALUES` numbers of each store: 0.15 GB beside the tables for 128 × 130 numbers a clip, however
    many clips there are. Where B holds the clips in other rows, each unit of A decodes all chunks of B that
    have one of its clips. The tables of both stores, and all differences found in them, are held whole.

    Raises what :meth:`FeatureStore.read` raises for damaged objects; what is equal by hash is not verified.
    """
    here, there = _by_clip(a.manifest), _by_clip(b.manifest)
    common = here.index[here.index.isin(there.index)]
    spec_a, spec_b = _spec_leaves(a), _spec_leaves(b)
    corpora_a, corpora_b = a.document.datasets, b.document.datasets
    entries_a, entries_b = (
        _leaves({name: own[name].model_dump(exclude=_LAYOUT) for name in own if name in other})
        for own, other in ((corpora_a, corpora_b), (corpora_b, corpora_a))
    )
    columns = [name for name in MANIFEST_SCHEMA.names if name not in ("clip_id", "row")]
    return Comparison(
        digests=(a.digest, b.digest),
        spec=_fields(spec_a, spec_b),
        features_only=_only(a.spec.coefficients, b.spec.coefficients),
        views_only=_only(a.spec.view_names, b.spec.view_names),
        corpora_only=_only(corpora_a, corpora_b),
        corpora=_fields(entries_a, entries_b),
        clips_only=OnlyIn(
            tuple(here.index[~here.index.isin(common)]), tuple(there.index[~there.index.isin(common)])
        ),
        columns=tuple(_columns(here.loc[common], there.loc[common], columns, MANIFEST_SCHEMA, None)),
        drawn=tuple(_drawn(a, b, common)),
        numbers=_numbers(a, b, here.loc[common], there.loc[common], progress or Silent()) if values else None,
        libraries=_fields(a.document.libraries, b.document.libraries),
    )


def _by_clip(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its clip ids as index, and ``position``, the place of each row."""
    return table.assign(position=np.arange(len(table))).set_index("clip_id")


def _spec_leaves(store: FeatureStore) -> dict[str, Any]:
    """Field → value, features and views under their names instead of their places."""
    fields: dict[str, Any] = store.spec.model_dump(mode="json")
    fields["features"] = {feature["kind"]: feature for feature in fields["features"]}
    fields["views"] = {view.pop("name"): view for view in fields["views"]}
    return _leaves({"feature_version": store.document.feature_version, **fields})


def _leaves(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, entry in value.items():
        out |= _leaves(entry, f"{prefix}{key}.") if isinstance(entry, dict) else {f"{prefix}{key}": entry}
    return out


def _fields(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[FieldDifference, ...]:
    names = dict.fromkeys([*a, *b])
    both = [FieldDifference(name, a.get(name, ABSENT), b.get(name, ABSENT)) for name in names]
    return tuple(difference for difference in both if difference.a != difference.b)


def _only(a: Any, b: Any) -> OnlyIn:
    return OnlyIn(tuple(n for n in a if n not in set(b)), tuple(n for n in b if n not in set(a)))


def _columns(
    a: pd.DataFrame, b: pd.DataFrame, names: list[str], schema: pa.Schema, view: str | None
) -> Iterator[ColumnDifference]:
    """Columns that differ between two tables of the same clips in the same order."""
    for name in names:
        left, right = a[name].to_numpy(object), b[name].to_numpy(object)
        equal = (left == right) | (pd.isna(left) & pd.isna(right))
        where = np.flatnonzero(~equal.astype(bool))
        if len(where):
            whole = pa.types.is_integer(schema.field(name).type)
            yield ColumnDifference(
                name,
                view,
                tuple(a.index[where]),
                *(tuple(_plain(value, whole=whole) for value in side[where]) for side in (left, right)),
            )


def _plain(value: Any, *, whole: bool) -> Any:
    """A table's value as Python's own; pandas keeps whole numbers as float where one is missing."""
    if pd.isna(value):
        return None
    return int(value) if whole else value


def _drawn(a: FeatureStore, b: FeatureStore, common: pd.Index[str]) -> Iterator[ColumnDifference]:
    for view in a.spec.view_names:
        if view in b.spec.view_names:
            here, there = (_by_clip(store.views[store.views["name"] == view]).loc[common] for store in (a, b))
            yield from _columns(here, there, list(_DRAWN), VIEWS_SCHEMA, view)


def _numbers(
    a: FeatureStore, b: FeatureStore, here: pd.DataFrame, there: pd.DataFrame, progress: Progress
) -> Numbers:
    """Compare the arrays; ``here`` and ``there`` are the manifests' rows of the clips that both have."""
    usable = ((here["status"] == Status.OK) & (there["status"] == Status.OK)).to_numpy()
    here, there = here[usable], there[usable]
    size = a.spec.storage.shard_clips
    shared = [name for name in a.spec.coefficients if name in b.spec.coefficients]
    reasons = {name: _why_incomparable(a.spec, b.spec, name) for name in shared}
    sizes = {name: a.spec.coefficients[name] * a.spec.frames for name in shared if not reasons[name]}
    views = [view for view in a.spec.view_names if view in b.spec.view_names]
    tallies = {(name, view): _ErrorSums(name, view) for name in sizes for view in views}
    in_place = ((here["dataset"] == there["dataset"]) & (here["row"] == there["row"])).to_numpy()
    units = cast(
        "Mapping[tuple[str, int], npt.NDArray[np.intp]]",
        here.groupby([here["dataset"], here["row"] // size]).indices,
    )
    read = 0
    with progress.task("compare", len(here), "clips") as advance:
        for (dataset, unit), members in sorted(units.items(), key=lambda item: item[0]):
            for (name, view), tally in tallies.items():
                chosen = a.spec.view_names.index(view), b.spec.view_names.index(view)
                shards = [shard_path(dataset, name, index, unit) for index in chosen]
                if in_place[members].all() and _equal_by_hash(a, b, *shards):
                    continue
                read += 1
                step = max(a.spec.storage.chunk_clips, MOST_VALUES // sizes[name])
                for first in range(0, len(members), step):
                    part = members[first : first + step]
                    left, right = (
                        store.read(rows["position"].to_numpy()[part], (index,), (name,))[name][0]
                        for store, rows, index in zip((a, b), (here, there), chosen, strict=True)
                    )
                    tally.add(left, right, here.index[part])
            advance(len(members))
    return Numbers(
        clips=len(here),
        measured=tuple(t.difference(len(here), sizes[name]) for (name, _), t in tallies.items()),
        incomparable={name: reason for name, reason in reasons.items() if reason},
        shards_read=read,
        shards_equal=len(units) * len(tallies) - read,
    )


def _why_incomparable(a: StoreSpec, b: StoreSpec, feature: str) -> str:
    """Why the numbers of a feature do not stand at the same places; empty where they do."""
    counts = {"coefficients": (a.coefficients[feature], b.coefficients[feature])}
    counts["frames"] = (a.frames, b.frames)
    other = [f"{left} {what} in A, {right} in B" for what, (left, right) in counts.items() if left != right]
    return "; ".join(other)


def _equal_by_hash(a: FeatureStore, b: FeatureStore, shard_a: str, shard_b: str) -> bool:
    entry = a.document.objects.get(shard_a)
    return entry is not None and entry == b.document.objects.get(shard_b) and a.spec.storage == b.spec.storage


class _ErrorSums:
    """The errors of one feature of one view, gathered block by block."""

    def __init__(self, feature: str, view: str) -> None:
        self._feature, self._view = feature, view
        self._differing = 0
        self._squares = 0.0
        self._spot: Spot | None = None
        self._largest = 0.0

    def add(self, a: npt.NDArray[np.floating], b: npt.NDArray[np.floating], clips: pd.Index[str]) -> None:
        """Add (clip, coefficient, frame) blocks of the same clips."""
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
        """The result over ``clips`` clips of ``numbers`` numbers each."""
        rms = math.sqrt(self._squares / (clips * numbers)) if clips else 0.0
        return ValueDifference(
            self._feature, self._view, clips, self._differing, self._largest, rms, self._spot
        )


def _errors(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """|a − b| in float64; 0 where both are NaN or the same infinity, infinite where one is NaN."""
    with np.errstate(invalid="ignore"):
        errors: npt.NDArray[np.float64] = np.subtract(a, b, dtype=np.float64)
    np.abs(errors, out=errors)
    undefined = np.isnan(errors)
    if undefined.any():
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        errors[undefined] = np.where(equal[undefined], 0.0, np.inf)
    return errors
