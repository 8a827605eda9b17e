"""Sentences or clips as units that are drawn whole, grouped by what they have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from training.splits.draw import strata


def strata_of_units(clips: pd.DataFrame, units: pd.Series) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Units by corpus, and by emotion if every unit of the corpus has only one; strata and units sorted.

    ``units`` : the unit of each of ``clips``. A stratum is (corpus, emotion), or (corpus, ``""``).
    """
    facts = clips.groupby(units)[["dataset", "emotion"]].agg(["min", "max"])
    corpus, emotion = facts[("dataset", "min")], facts[("emotion", "min")]
    has_one = (emotion == facts[("emotion", "max")]).groupby(corpus).transform("all")
    of = dict(zip(facts.index, zip(corpus, emotion.where(has_one, ""), strict=True), strict=True))
    yield from strata(sorted(of), lambda unit: of[unit])
