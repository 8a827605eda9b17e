"""The protocol ``cross-corpus``: tests on corpora that training does not use."""

from __future__ import annotations

import pandas as pd

from data.described.description import person_of
from schemas.errors import SplitError
from training.splits.assemble import Draw, assemble
from training.splits.people import people_of
from training.splits.side import SIDES
from training.splits.split import Split
from training.splits.validation import validation_of

_TRAIN, _VALIDATION, _TEST = SIDES


def cross_corpus(usable: pd.DataFrame, draw: Draw) -> Split:
    """Test on all clips of ``draw.spec.test_corpora``; speakers of the training corpora train and validate.

    Clips of all remaining corpora are on no side.

    Raises
    ------
    SplitError
        If the store lacks a named corpus, no corpus is left to train on, or a recording is on both sides.
    """
    spec, held = draw.spec, sorted(usable["dataset"].unique())
    wanted = set(spec.train_corpora or held) - set(spec.test_corpora)
    absent = sorted((wanted | set(spec.test_corpora)) - set(held))
    if absent:
        raise SplitError(
            f"cross-corpus names {', '.join(absent)}, but the store has "
            f"{', '.join(held) or 'no usable clips'}; choose from these, or build a store with it"
        )
    if not wanted:
        raise SplitError(
            f"cross-corpus has nothing to train on: the store holds only {', '.join(held)}; build it with "
            "another corpus"
        )
    used = usable[usable["dataset"].isin([*wanted, *spec.test_corpora])]
    tested = used["dataset"].isin(list(spec.test_corpora))
    for person in people_of(used):
        in_test = tested[used["speaker"].isin(person.speakers)]
        if in_test.any() and not in_test.all():
            if len({*map(person_of, person.speakers)}) == 1:
                raise SplitError(
                    f"{person.name} are one person, who would be in training and in the test; test on both "
                    f"corpora"
                )
            raise SplitError(
                f"{person.name} share a recording, so one would be in training and the other in the test; "
                "remove the copy from one corpus, or test on both"
            )
    validation = validation_of(used[~tested], draw, spec.protocol)
    sides = pd.Series(_TRAIN, index=used.index, dtype=object)
    sides[tested] = _TEST
    sides[validation.clips.index[validation.clips]] = _VALIDATION
    return assemble(used, sides, draw, stratified_by=validation.stratified_by, validation_by=validation.by)
