"""The protocol ``speaker``: speakers drawn into training, validation and test."""

from __future__ import annotations

import pandas as pd

from schemas.errors import SplitError
from schemas.messages.counts import format_count
from training.splits.assemble import Draw, assemble
from training.splits.draw import held_out, shuffle, strata
from training.splits.people import SPEAKER_STRATA, Person, people_of, some_names, spoken_by
from training.splits.side import SIDES, Side
from training.splits.split import Split
from training.splits.validation import validation_of

_TRAIN, _VALIDATION, _TEST = SIDES


def by_speaker(usable: pd.DataFrame, draw: Draw) -> Split:
    """Draw the speakers of each corpus and gender into three sides.

    Of n speakers in a stratum, ``round(share · n)`` but at least one go to the test (if n ≥ 2) and to
    validation (if n ≥ 3); the rest, at least one, train. If that leaves a side empty, genders are drawn
    together, then corpora too. With two speakers in total, one is in the test, and the other trains and
    validates (:func:`training.splits.validation.validation_of`). Speakers that share identical recordings
    count as one.

    Raises
    ------
    SplitError
        If there are fewer than two speakers.
    """
    people = people_of(usable)
    if len(people) < 2:
        raise SplitError(_too_few(usable, people))
    for columns in SPEAKER_STRATA:
        side_of = _sides(people, columns, draw)
        if set(side_of.values()) == set(SIDES):
            return assemble(usable, usable["speaker"].map(side_of), draw, stratified_by=columns)
    tested = spoken_by(usable, [person for person in people if side_of[person.speakers[0]] == _TEST])
    validation = validation_of(usable[~tested], draw)
    sides = pd.Series(_TRAIN, index=usable.index, dtype=object)
    sides[tested] = _TEST
    sides[validation.clips.index[validation.clips]] = _VALIDATION
    return assemble(usable, sides, draw, stratified_by=validation.stratified_by, validation_by=validation.by)


def _sides(people: tuple[Person, ...], columns: tuple[str, ...], draw: Draw) -> dict[str, Side]:
    """Draw a side for every speaker within the strata of ``columns``."""
    side_of: dict[str, Side] = {}
    for stratum, members in strata(people, lambda person: person.stratum(columns)):
        test, validation = held_out(len(members), draw.spec)
        sides = [_TEST] * test + [_VALIDATION] * validation
        sides += [_TRAIN] * (len(members) - len(sides))
        for person, side in zip(shuffle(members, draw.seed, *stratum), sides, strict=True):
            side_of.update(dict.fromkeys(person.speakers, side))
    return side_of


def _too_few(usable: pd.DataFrame, people: tuple[Person, ...]) -> str:
    speakers = usable["speaker"].unique()
    if not len(speakers):
        return (
            "the store has 0 usable speakers: none of its clips can be used for training; see the column "
            "'problem' in its manifest.parquet"
        )
    corpora = ", ".join(sorted(usable["dataset"].unique()))
    unknown = ", or name the speakers in its corpus.toml" if speakers[0].endswith("/unknown") else ""
    alike = " (those with identical recordings count as one)" if len(people) < len(speakers) else ""
    return (
        f"the store has {format_count(len(people), 'usable speaker')} "
        f"({some_names(speakers)}){alike}, but a "
        "speaker-independent split needs at least two: one to train on and one to test; build the store with "
        f"another corpus in addition to {corpora}{unknown}"
    )
