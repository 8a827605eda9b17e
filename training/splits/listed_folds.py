"""Folds that a corpus from EmoBox's metadata brings along, in the manifest's column ``split``.

A clip that is tested in fold K has ``fold_K`` there. Of a corpus with one fold, ``validation`` marks the
clips of its own validation list. All others train (:mod:`data.emobox.metadata`).
"""

from __future__ import annotations

import pandas as pd

from schemas.errors import SplitError
from schemas.folds import VALIDATION, name_fold, number_of_fold
from training.splits.assemble import Draw, assemble
from training.splits.side import SIDES
from training.splits.sounds import sounds_of
from training.splits.split import Fold, Split
from training.splits.validation import Validation, validation_of

_TRAIN, _VALIDATION, _TEST = SIDES


def numbers_of_folds(usable: pd.DataFrame) -> tuple[int, ...]:
    """Numbers of the folds that ``usable`` lists, ascending; none if it lists no folds."""
    if "split" not in usable:
        return ()
    found = map(number_of_fold, usable["split"].dropna().unique())
    return tuple(sorted(number for number in found if number is not None))


def listed_folds(usable: pd.DataFrame, draw: Draw) -> tuple[Split, ...]:
    """Split the clips of one corpus by its listed folds, of which there is at least one.

    Validation is that of the lists, or is drawn from the clips outside the test as for every other protocol.
    All splits are marked with :attr:`Split.shares_speakers` if any fold has a speaker both in the test and
    outside it, or both in its validation list and in training.

    Raises
    ------
    SplitError
        If a fold has no usable clip, if nothing is left to train on, or if a recording is both tested and
        heard in training.
    """
    numbers = numbers_of_folds(usable)
    (corpus,) = usable["dataset"].unique()
    if missing := sorted(set(range(1, max(numbers) + 1)) - set(numbers)):
        raise SplitError(
            f"emobox needs all {max(numbers)} folds of {corpus} to be comparable, but the store has no "
            f"usable clip of fold_{missing[0]}; build it with the whole corpus"
        )
    tested = {number: usable["split"] == name_fold(number) for number in numbers}
    listed = usable["split"] == VALIDATION
    for number, in_test in tested.items():
        _require_apart(usable, in_test, number)
    shares = any(_share_speakers(usable, in_test, listed) for in_test in tested.values())
    splits = []
    for index, (number, in_test) in enumerate(tested.items(), start=1):
        name = str(number)
        validation = (
            Validation(listed, "clip" if shares else "speaker", ("dataset", "gender"))
            if listed.any()
            else validation_of(usable[~in_test], draw, draw.spec.shorthand, name)
        )
        sides = pd.Series(_TRAIN, index=usable.index, dtype=object)
        sides[in_test] = _TEST
        sides[validation.clips.index[validation.clips]] = _VALIDATION
        if not (sides == _TRAIN).any():
            raise SplitError(
                f"emobox leaves no clip of {corpus} to train on; build the store with the whole corpus"
            )
        splits.append(
            assemble(
                usable,
                sides,
                draw,
                stratified_by=validation.stratified_by,
                validation_by=validation.by,
                fold=Fold(index, len(numbers), name),
                shares_speakers=shares,
            )
        )
    return tuple(splits)


def _share_speakers(usable: pd.DataFrame, in_test: pd.Series, listed: pd.Series) -> bool:
    speakers = usable["speaker"]
    tested, validating = set(speakers[in_test]), set(speakers[listed])
    training = set(speakers[~in_test & ~listed])
    return bool(tested & (validating | training) or validating & training)


def _require_apart(usable: pd.DataFrame, in_test: pd.Series, number: int) -> None:
    """Raise :class:`SplitError` if a recording of the test is outside it, too."""
    sounds = sounds_of(usable).fillna("")
    both = (set(sounds[in_test]) & set(sounds[~in_test])) - {""}
    if both:
        same = usable["clip_id"][sounds == min(both)]
        one, other = same[in_test].iloc[0], same[~in_test].iloc[0]
        raise SplitError(
            f"{one} and {other} are the same recording, or overlap, but EmoBox tests only the first in "
            f"fold_{number}; remove the copy from the corpus, or use --protocol loso"
        )
