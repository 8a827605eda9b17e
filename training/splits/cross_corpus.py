"""The protocol ``cross-corpus``: tested on corpora of which nothing was heard in training."""

from __future__ import annotations

import pandas as pd

from schemas.errors import SplitError
from training.splits.assemble import Draw, assemble
from training.splits.people import people_of
from training.splits.side import SIDES
from training.splits.split import Split
from training.splits.validation import validation_of

_TRAIN, _VALIDATION, _TEST = SIDES


def cross_corpus(usable: pd.DataFrame, draw: Draw) -> Split:
    """All clips of ``draw.spec.test_corpora`` tested; speakers of the others train and validate.

    Clips of corpora that are neither are on no side.

    Raises
    ------
    SplitError
        If a corpus that is named is not there, none is left to train on, or a recording is in both.
    """
    spec, held = draw.spec, sorted(usable["dataset"].unique())
    wanted = set(spec.train_corpora or held) - set(spec.test_corpora)
    absent = sorted((wanted | set(spec.test_corpora)) - set(held))
    if absent:
        raise SplitError(
            f"cross-corpus names {', '.join(absent)}, and the store has "
            f"{', '.join(held) or 'no usable clips'}; name those, or build the store with the corpus"
        )
    if not wanted:
        raise SplitError(
            f"cross-corpus has nothing to train on: the store holds {', '.join(held)} alone; build it with "
            "another corpus"
        )
    used = usable[usable["dataset"].isin([*wanted, *spec.test_corpora])]
    tested = used["dataset"].isin(list(spec.test_corpora))
    for person in people_of(used):
        sides = tested[used["speaker"].isin(person.speakers)]
        if sides.any() and not sides.all():
            raise SplitError(
                f"{person.name} share a recording, and one would be trained on and the other tested on; "
                "remove the copy from one corpus, or test on both"
            )
    validation = validation_of(used[~tested], draw, spec.protocol)
    placed = pd.Series(_TRAIN, index=used.index, dtype=object)
    placed[tested] = _TEST
    placed[validation.clips.index[validation.clips]] = _VALIDATION
    return assemble(used, placed, draw, stratified_by=validation.stratified_by, validation_by=validation.by)
