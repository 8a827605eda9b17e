"""Speakers as persons: speakers with identical recordings, or overlapping segments, count as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from training.splits.identical import join_identical
from training.splits.sounds import sounds_of

SPEAKER_STRATA: tuple[tuple[str, ...], ...] = (("dataset", "gender"), ("dataset",), ())
"""Manifest columns within which speakers are drawn: the first that leave no side of a split empty."""


@dataclass(frozen=True)
class Person:
    """Speakers that must stay on one side, sorted, with the corpus and gender they are counted under."""

    speakers: tuple[str, ...]
    dataset: str
    gender: str

    @property
    def name(self) -> str:
        """``ravdess/03``, or for several speakers ``tess/OAF and mine/7``."""
        return " and ".join(self.speakers)

    def stratum(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Values in ``columns``, one of :data:`SPEAKER_STRATA`."""
        return (self.dataset, self.gender)[: len(columns)]


def people_of(usable: pd.DataFrame) -> tuple[Person, ...]:
    """All persons in ``usable``, sorted by first speaker, which also gives corpus and gender."""
    described = (
        usable.sort_values("clip_id").groupby("speaker")[["dataset", "gender"]].first().T.to_dict("list")
    )
    together = join_identical(usable["speaker"], sounds_of(usable))
    members = usable["speaker"].groupby(together).unique()
    return tuple(
        Person(tuple(sorted(speakers)), *map(str, described[first]))
        for first, speakers in sorted(members.items())
    )


def spoken_by(usable: pd.DataFrame, people: Iterable[Person]) -> pd.Series:
    """Boolean on the index of ``usable``: whether a clip is spoken by any of ``people``."""
    return usable["speaker"].isin([speaker for person in people for speaker in person.speakers])


def some_names(names: Collection[str]) -> str:
    """The first five names: ``a, b, c, d, e, …``."""
    shown = sorted(names)
    return f"{', '.join(shown[:5])}{', …' if len(shown) > 5 else ''}"
