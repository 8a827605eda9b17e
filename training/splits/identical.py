"""Speakers, sentences or clips that must stay on one side because they share identical recordings."""

from __future__ import annotations

import pandas as pd


def join_identical(keys: pd.Series, recordings: pd.Series) -> pd.Series:
    """Replace keys that share an identical recording by one of them.

    Parameters
    ----------
    keys : Series of str
        What each clip belongs to: its speaker, its sentence, or the clip itself.
    recordings : Series of str
        Hash of each clip's recording, or its sound; a missing or empty one equals no other.

    Returns
    -------
    Series of str, like ``keys``: for each group of joined keys, the first in alphabetical order.
    """
    known = recordings.fillna("") != ""
    twins = known & recordings.where(known).duplicated(keep=False)
    if not twins.any():
        return keys
    parent = {key: key for key in sorted(keys[twins].unique())}

    def root(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    for _, sharing in keys[twins].groupby(recordings[twins], sort=True):
        first, *others = sorted({root(key) for key in sharing})
        parent.update(dict.fromkeys(others, first))
    return keys.map({key: root(key) for key in parent}).fillna(keys)
