"""The protocols ``loso`` and ``kfold``: every speaker is in the test of exactly one fold."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from schemas.errors import SplitError
from training.splits.assemble import Draw, assemble
from training.splits.draw import generator, shuffle, strata
from training.splits.people import SPEAKER_STRATA, Person, people_of, some_names, spoken_by
from training.splits.side import SIDES
from training.splits.split import Fold, Split
from training.splits.validation import validation_of

_TRAIN, _VALIDATION, _TEST = SIDES


def leave_one_speaker_out(usable: pd.DataFrame, draw: Draw) -> tuple[Split, ...]:
    """One fold per speaker, named after the test speaker, in alphabetical order.

    Raises
    ------
    SplitError
        If there are fewer than two speakers.
    """
    people = people_of(usable)
    if len(people) < 2:
        raise SplitError(
            f"loso needs at least two speakers, but the store has {len(people)} "
            f"({some_names(usable['speaker'].unique()) or 'none'}); build it with another corpus"
        )
    return folds_of(usable, [(person.name, [person]) for person in people], draw)


def grouped_folds(usable: pd.DataFrame, draw: Draw) -> tuple[Split, ...]:
    """``draw.spec.folds`` groups of speakers, each the test side of one fold.

    The speakers of each corpus and gender are dealt to the groups in turn, starting at a random group. If
    that leaves a group empty, genders are dealt together, then corpora too.

    Raises
    ------
    SplitError
        If there are more groups than speakers.
    """
    columns, groups = deal_speakers(usable, draw)
    named = [(str(index), group) for index, group in enumerate(groups, start=1)]
    return folds_of(usable, named, draw, columns)


def deal_speakers(usable: pd.DataFrame, draw: Draw) -> tuple[tuple[str, ...], list[list[Person]]]:
    """Manifest columns within which speakers are dealt to ``draw.spec.folds`` groups, and the groups.

    Raises :class:`SplitError` if there are more groups than speakers.
    """
    people, count = people_of(usable), draw.spec.folds
    if count > len(people):
        name = draw.spec.protocol
        most = "add a corpus"
        if len(people) > 1:
            most = f"use {name}:K with K up to {len(people)}" + (", or loso" if name == "kfold" else "")
        raise SplitError(f"{name}:{count} needs {count} speakers, but the store has {len(people)}; {most}")
    for columns in SPEAKER_STRATA:
        groups = _deal(people, columns, draw)
        if all(groups):
            break
    return columns, groups


def folds_of(
    usable: pd.DataFrame,
    tested: Sequence[tuple[str, Sequence[Person]]],
    draw: Draw,
    stratified_by: tuple[str, ...] = ("dataset", "gender"),
) -> tuple[Split, ...]:
    """One split per fold name and its test speakers; all other speakers train and validate."""
    splits = []
    for index, (name, people) in enumerate(tested, start=1):
        in_test = spoken_by(usable, people)
        validation = validation_of(usable[~in_test], draw, draw.spec.shorthand, name)
        sides = pd.Series(_TRAIN, index=usable.index, dtype=object)
        sides[in_test] = _TEST
        sides[validation.clips.index[validation.clips]] = _VALIDATION
        splits.append(
            assemble(
                usable,
                sides,
                draw,
                stratified_by=min(stratified_by, validation.stratified_by, key=len),
                validation_by=validation.by,
                fold=Fold(index, len(tested), name),
            )
        )
    return tuple(splits)


def _deal(people: tuple[Person, ...], columns: tuple[str, ...], draw: Draw) -> list[list[Person]]:
    count = draw.spec.folds
    groups: list[list[Person]] = [[] for _ in range(count)]
    for stratum, members in strata(people, lambda person: person.stratum(columns)):
        name = draw.spec.shorthand
        first = int(generator(draw.seed, name, "first", *stratum).integers(count))
        for number, person in enumerate(shuffle(members, draw.seed, name, *stratum), start=first):
            groups[number % count].append(person)
    return groups
