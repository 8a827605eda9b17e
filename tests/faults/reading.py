"""Every way of reading a store, and what may come of it: the right numbers, or an error that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from featurestore.store import FeatureStore
from schemas.errors import SerError

REFUSED = "refused"
RIGHT = "right"


def _read(store: FeatureStore) -> dict[str, Any]:
    return store.read(range(len(store.manifest)), range(len(store.spec.view_names)))


def _arrays(store: FeatureStore) -> dict[str, Any]:
    return {
        f"{dataset}/{feature}": array[:]
        for dataset, features in store.arrays.items()
        for feature, array in features.items()
    }


def _xarray(store: FeatureStore) -> dict[str, Any]:
    tree = store.to_xarray()
    return {
        f"{node.path}/{name}": np.asarray(values)
        for node in tree.subtree
        for name, values in node.to_dataset(inherit=False).variables.items()
    }


def _statistics(store: FeatureStore) -> dict[str, Any]:
    everybody = set(store.manifest["speaker"])
    views = range(len(store.spec.view_names))
    merged = store.statistics(everybody, views)
    return {
        f"{name} {field}": getattr(m, field)
        for name, m in merged.items()
        for field in ("count", "mean", "m2")
    }


WAYS: Mapping[str, Callable[[FeatureStore], Any]] = {
    "manifest": lambda store: store.manifest,
    "views": lambda store: store.views,
    "statistics": _statistics,
    "read": _read,
    "arrays": _arrays,
    "xarray": _xarray,
}

READS_FEATURES = frozenset({"read", "arrays", "xarray"})


def everything(where: Path) -> dict[str, Any]:
    """What a sound store gives, by the way of reading."""
    return {way: read(FeatureStore.open(where)) for way, read in WAYS.items()}


def outcomes(where: Path, truth: Mapping[str, Any], fault: object) -> dict[str, str]:
    """Way of reading → right or refused. Fails where numbers are wrong, or the error is none of ours."""
    return {way: RIGHT if told == RIGHT else REFUSED for way, told in sentences(where, truth, fault).items()}


def sentences(where: Path, truth: Mapping[str, Any], fault: object) -> dict[str, str]:
    """Way of reading → right, or the error's sentence; see :func:`outcomes`."""
    try:
        store = FeatureStore.open(where)
    except SerError as error:
        return dict.fromkeys(WAYS, str(error))
    found = {}
    for way, read in WAYS.items():
        try:
            got = read(store)
        except SerError as error:
            found[way] = str(error)
            continue
        assert same(got, truth[way]), f"{way} gave wrong numbers in silence after {fault}"
        found[way] = RIGHT
    return found


def same(one: Any, two: Any) -> bool:
    """Equal to the last bit, NaN being equal to NaN."""
    if isinstance(one, pd.DataFrame):
        return bool(one.equals(two)) and one.columns.equals(two.columns)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    equal_nan = np.asarray(one).dtype.kind == "f"
    return np.asarray(one).dtype == np.asarray(two).dtype and np.array_equal(one, two, equal_nan=equal_nan)
