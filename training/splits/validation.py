"""Draw validation from the clips outside the test: by speaker if possible, else by sentence or clip."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from schemas.errors import SplitError
from training.splits.assemble import Draw
from training.splits.draw import shuffle, strata
from training.splits.identical import join_identical
from training.splits.people import SPEAKER_STRATA, Person, people_of, some_names, spoken_by
from training.splits.sounds import sounds_of
from training.splits.split_document import ValidationBy
from training.splits.units import strata_of_units

FEWEST_TO_VALIDATE = 3
"""Fewest speakers outside the test for some of them to validate; if there are fewer, all of them train."""


@dataclass(frozen=True, eq=False)
class Validation:
    """Which clips validate: boolean, on the index of the clips they were drawn from."""

    clips: pd.Series
    by: ValidationBy
    stratified_by: tuple[str, ...]


def validation_of(rest: pd.DataFrame, draw: Draw, *key: str) -> Validation:
    """Draw validation from ``rest``, the usable clips outside the test; keyed by seed and ``key``.

    Of n ≥ 3 speakers of a corpus and gender, ``round(share · n)`` but at least one validate. If that leaves
    validation empty, genders are drawn together, then corpora. With fewer than three speakers in total, all
    of them train, and validation takes the share of their sentences: of each emotion, if every sentence has
    only one emotion. If a corpus does not identify its sentences, validation takes the share of their clips
    by emotion. Identical recordings stay together.

    Raises
    ------
    SplitError
        If ``rest`` cannot be divided at all.
    """
    people = people_of(rest)
    if len(people) < FEWEST_TO_VALIDATE:
        return _of_the_same_speakers(rest, draw, key)
    for columns in SPEAKER_STRATA:
        chosen = _speakers(people, columns, draw, key)
        if chosen:
            break
    return Validation(spoken_by(rest, chosen), "speaker", columns)


def _speakers(
    people: tuple[Person, ...], columns: tuple[str, ...], draw: Draw, key: tuple[str, ...]
) -> list[Person]:
    chosen = []
    for stratum, members in strata(people, lambda person: person.stratum(columns)):
        n = len(members)
        count = max(1, round(draw.spec.validation * n)) if n >= FEWEST_TO_VALIDATE else 0
        chosen += shuffle(members, draw.seed, "validation", *key, *stratum)[:count]
    return chosen


def _of_the_same_speakers(rest: pd.DataFrame, draw: Draw, key: tuple[str, ...]) -> Validation:
    sentence = rest["dataset"] + "/" + rest["sentence"].fillna("")
    by: tuple[tuple[ValidationBy, pd.Series], ...] = (("clip", rest["clip_id"]),)
    if (rest["sentence"].fillna("") != "").all():
        by = (("sentence", sentence), *by)
    for name, unit in by:
        units = join_identical(unit, rest["audio_sha256"] if name == "clip" else sounds_of(rest))
        chosen = _units(rest, units, draw, key)
        if chosen:
            return Validation(units.isin(chosen), name, ("dataset", "emotion"))
    names = some_names(rest["speaker"].unique()) or "none"
    raise SplitError(
        f"the only speakers left for training and validation ({names}) do not have two different recordings "
        "of any emotion; build the store with more clips"
    )


def _units(rest: pd.DataFrame, units: pd.Series, draw: Draw, key: tuple[str, ...]) -> set[str]:
    """Draw the sentences or clips that validate: per corpus, and per emotion if every unit has only one."""
    chosen: set[str] = set()
    for stratum, members in strata_of_units(rest, units):
        n = len(members)
        count = max(1, round(draw.spec.validation * n)) if n >= 2 else 0
        chosen |= set(shuffle(members, draw.seed, "validation", *key, *stratum)[:count])
    return chosen
