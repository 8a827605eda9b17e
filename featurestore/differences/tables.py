"""Differences between two stores in their specifications, their corpora and the columns of their tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from featurestore.store import FeatureStore
from schemas.tables import OPTIONAL_COLUMNS, VIEWS_SCHEMA

ABSENT = "absent"
"""The value shown for a field that only the other store has."""

_NAMED = ("imported", "opensmile")
"""Kinds whose features are known by their names alone."""

_DRAWN_COLUMNS = ("parameter", "key", "valid_frames")


@dataclass(frozen=True)
class OnlyIn:
    """Names that only one of the stores has; false if there are none."""

    a: tuple[str, ...]
    b: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.a or self.b)


@dataclass(frozen=True)
class FieldDifference:
    """A field such as ``audio.trim_db`` or ``views.noise.snr_db`` and its value in each store."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class ColumnDifference:
    """A column of the manifest, or of the views table if ``view`` is set, and the clips in which it differs.

    ``a`` and ``b`` hold one value for each of ``clips``; None means no value.
    """

    column: str
    view: str | None
    clips: tuple[str, ...]
    a: tuple[Any, ...]
    b: tuple[Any, ...]


def index_by_clip(table: pd.DataFrame) -> pd.DataFrame:
    """The table indexed by clip id, with the number of each row in the new column ``position``."""
    return table.assign(position=np.arange(len(table))).set_index("clip_id")


def specification_fields(store: FeatureStore) -> dict[str, Any]:
    """Field → value of the specification, with features and views under their names.

    ``feature_version`` is the version of the code that computed the features.
    """
    fields: dict[str, Any] = store.spec.model_dump(mode="json")
    fields["features"] = _by_name(fields["features"])
    fields["views"] = {view.pop("name"): view for view in fields["views"]}
    return flatten_fields({"feature_version": store.document.feature_version, **fields})


def _by_name(features: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Features by kind; imported ones, those of openSMILE and several of one kind by name."""
    kinds = Counter(feature["kind"] for feature in features)
    return {
        feature["name"]
        if feature["kind"] in _NAMED or kinds[feature["kind"]] > 1
        else feature["kind"]: feature
        for feature in features
    }


def flatten_fields(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    out: dict[str, Any] = {}
    for key, entry in value.items():
        name = f"{prefix}{key}"
        out |= flatten_fields(entry, f"{name}.") if isinstance(entry, dict) else {name: entry}
    return out


def compare_fields(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[FieldDifference, ...]:
    """The fields that differ, in the order of A; a field of one store is :data:`ABSENT` in the other."""
    names = dict.fromkeys([*a, *b])
    both = [FieldDifference(name, a.get(name, ABSENT), b.get(name, ABSENT)) for name in names]
    return tuple(difference for difference in both if difference.a != difference.b)


def compare_names(a: Iterable[str], b: Iterable[str]) -> OnlyIn:
    """The names that only A or only B has, in their order."""
    in_a, in_b = dict.fromkeys(a), dict.fromkeys(b)
    return OnlyIn(tuple(n for n in in_a if n not in in_b), tuple(n for n in in_b if n not in in_a))


def fill_optional(manifest: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The manifest with the optional columns ``names``; one that it lacks has no values."""
    fields = [OPTIONAL_COLUMNS.field(name) for name in names if name not in manifest]
    return manifest.assign(
        **{field.name: "" if pa.types.is_string(field.type) else np.nan for field in fields}
    )


def compare_columns(
    a: pd.DataFrame, b: pd.DataFrame, names: Iterable[str], schema: pa.Schema, view: str | None = None
) -> Iterator[ColumnDifference]:
    """The columns that differ between two tables of the same clips in the same order."""
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


def compare_drawn(a: FeatureStore, b: FeatureStore, common: pd.Index[str]) -> Iterator[ColumnDifference]:
    """Differences in what was drawn for each clip of ``common`` in the views that both stores have."""
    for view in a.spec.view_names:
        if view in b.spec.view_names:
            left, right = (
                index_by_clip(store.views[store.views["name"] == view]).loc[common] for store in (a, b)
            )
            yield from compare_columns(left, right, _DRAWN_COLUMNS, VIEWS_SCHEMA, view)


def _plain(value: Any, *, whole: bool) -> Any:
    """A table's value as a Python object; pandas stores whole numbers as floats if one is missing."""
    if pd.isna(value):
        return None
    return int(value) if whole else value
