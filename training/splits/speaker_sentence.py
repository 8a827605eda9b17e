"""The protocol ``speaker+sentence``: the test shares neither speakers nor sentences with training."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from schemas.errors import SplitError
from schemas.messages.counts import format_count
from training.splits.assemble import Draw, assemble
from training.splits.draw import generator, shuffle
from training.splits.folds import deal_speakers
from training.splits.identical import join_identical
from training.splits.people import Person, spoken_by
from training.splits.side import SIDES
from training.splits.sounds import sounds_of
from training.splits.split import Fold, Split
from training.splits.units import strata_of_units
from training.splits.validation import Validation, validation_of

_TRAIN, _VALIDATION, _TEST = SIDES

GROUPS_OF_SENTENCES = 2
"""RAVDESS has only two sentences."""

_SENTENCES_TO_VALIDATE = 1 / 3
_FEWEST_SENTENCES = 4
"""Fewest sentences outside the test of a corpus for some of them to validate only."""


def by_speaker_and_sentence(usable: pd.DataFrame, draw: Draw) -> tuple[Split, ...]:
    """Test each of ``draw.spec.folds`` groups of speakers on each of two groups of sentences.

    In a fold, clips of the tested speakers with the tested sentences are in the test, clips of other speakers
    with other sentences train and validate, and all others are on no side. Each clip is tested in one fold.
    The sentences of each corpus are dealt to the groups in turn, separately by emotion if each sentence has
    only one emotion, as in SAVEE. Validation has its own speakers; of a corpus with at least four sentences
    outside the test it also has a third of them to itself.

    Raises
    ------
    SplitError
        If a corpus does not identify its sentences or has only one, if there are more groups than speakers,
        or if the speakers of a group say none of the sentences of a group.
    """
    sentences = _sentences_of(usable)
    group_of = _deal_sentences(usable, sentences, draw)
    columns, groups = deal_speakers(usable, draw)
    count = len(groups) * GROUPS_OF_SENTENCES
    splits = []
    for index, (name, tested_speakers, tested_sentences) in enumerate(_folds(groups), start=1):
        spoken = spoken_by(usable, tested_speakers)
        said = sentences.map(group_of) == tested_sentences
        tested, rest = spoken & said, usable[~spoken & ~said]
        if not tested.any():
            raise SplitError(
                f"speaker+sentence finds no clips of {tested_speakers[0].name} with the sentences of one of "
                f"{GROUPS_OF_SENTENCES} groups; use fewer groups of speakers, or --protocol kfold:K"
            )
        validation = validation_of(rest, draw, draw.spec.shorthand, name)
        sides = pd.Series(None, index=usable.index, dtype=object)
        sides[rest.index] = _TRAIN
        sides[tested] = _TEST
        sides[validation.clips.index[validation.clips]] = _VALIDATION
        if validation.by == "speaker":
            left_out = _straddling(rest, validation, sentences[rest.index], draw, name)
            if {_TRAIN, _VALIDATION} <= set(sides[rest.index.difference(left_out)]):
                sides[left_out] = None
        splits.append(
            assemble(
                usable[sides.notna()],
                sides[sides.notna()],
                draw,
                stratified_by=min(columns, validation.stratified_by, key=len),
                validation_by=validation.by,
                fold=Fold(index, count, name),
            )
        )
    return tuple(splits)


def _folds(groups: list[list[Person]]) -> Iterator[tuple[str, list[Person], int]]:
    for number, people in enumerate(groups, start=1):
        for group in range(GROUPS_OF_SENTENCES):
            yield f"{number}.{group + 1}", people, group


def _sentences_of(usable: pd.DataFrame) -> pd.Series:
    """Sentence of each clip, with its corpus; sentences that share identical recordings are one."""
    named = usable["sentence"].fillna("")
    nameless = sorted(usable["dataset"][named == ""].unique())
    if nameless:
        raise SplitError(
            f"speaker+sentence needs the sentence of every clip, which {nameless[0]} does not tell; choose "
            "other corpora with --datasets, or use --protocol kfold:K"
        )
    sentences = join_identical(usable["dataset"] + "/" + named, sounds_of(usable))
    for corpus, found in sentences.groupby(usable["dataset"]):
        if found.nunique() < GROUPS_OF_SENTENCES:
            raise SplitError(
                f"speaker+sentence needs two sentences, but {corpus} has "
                f"{format_count(found.nunique(), 'sentence')}; choose other corpora with --datasets, or use "
                "--protocol kfold:K"
            )
    return sentences


def _deal_sentences(usable: pd.DataFrame, sentences: pd.Series, draw: Draw) -> dict[str, int]:
    group_of = {}
    for stratum, members in strata_of_units(usable, sentences):
        seed, key = draw.seed, ("sentences", *stratum)
        first = int(generator(seed, "first", *key).integers(GROUPS_OF_SENTENCES))
        for number, sentence in enumerate(shuffle(members, seed, *key), start=first):
            group_of[sentence] = number % GROUPS_OF_SENTENCES
    return group_of


def _straddling(
    rest: pd.DataFrame, validation: Validation, sentences: pd.Series, draw: Draw, name: str
) -> pd.Index:
    """Clips that would put a sentence both in training and in validation, where a corpus can spare them."""
    own: set[str] = set()
    corpora = {corpus: sentences[rest["dataset"] == corpus].nunique() for corpus in rest["dataset"].unique()}
    for stratum, members in strata_of_units(rest, sentences):
        if corpora[stratum[0]] >= _FEWEST_SENTENCES and len(members) > 1:
            count = max(1, round(_SENTENCES_TO_VALIDATE * len(members)))
            own |= set(shuffle(members, draw.seed, "validation", name, *stratum)[:count])
    spares = rest["dataset"].isin({sentence.split("/")[0] for sentence in own})
    kept = validation.clips == sentences.isin(own)
    return rest.index[spares & ~kept]
