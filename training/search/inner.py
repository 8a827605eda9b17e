"""Inner folds: the clips outside the test, divided among those that fit a trial and those that judge it.

::

    outer split     train + validation                                    test
    inner fold 1    [judge][ fit                              ]           (unknown to the search)
    inner fold 2    [ fit ][judge][ fit                       ]
    inner fold 3    [ fit        ][judge][ fit                ]

The groups are of speakers, dealt as by the protocol ``kfold``, whatever the outer protocol is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import SplitError
from schemas.messages.counts import format_count
from schemas.protocol import SplitSpec
from training.linear.held_out import units_to_hold_out
from training.samples.samples import AnyTargets
from training.splits.assemble import Draw
from training.splits.draw import shuffle
from training.splits.folds import deal_speakers
from training.splits.people import people_of, spoken_by
from training.splits.split import Split
from training.splits.split_document import ValidationBy

Rows = tuple[int, ...]
"""Rows of the manifest, ascending."""


@dataclass(frozen=True)
class InnerFold:
    """Clips that a trial is fitted on, and clips that judge it; they share no speakers."""

    fit: Rows
    judge: Rows


def inner_folds(
    split: Split, manifest: pd.DataFrame, targets: AnyTargets, count: int, seed: int
) -> tuple[InnerFold, ...]:
    """Divide the clips of ``split`` outside its test into ``count`` inner folds; 1: as the split does itself.

    Clips without a target are left out. If there are fewer speakers than ``count``, there are as many folds
    as speakers; with a single speaker, the folds are of sentences. Raises :class:`SplitError` if there are
    fewer than two of either, or if a fold would be empty.
    """
    known = [_rows_with_target(split, manifest, targets, side) for side in ("train", "validation")]
    if count == 1:
        folds = [InnerFold(tuple(known[0].tolist()), tuple(known[1].tolist()))]
    else:
        rows = np.sort(np.concatenate(known))
        folds = [
            InnerFold(tuple(rows[~held].tolist()), tuple(rows[held].tolist()))
            for held in _held_out(manifest.iloc[rows], count, seed)
        ]
    if not all(fold.fit and fold.judge for fold in folds):
        raise SplitError(
            f"an inner fold of the search has no clips with a class; use fewer than {count} --inner-folds, "
            f"or a store with more speakers"
        )
    return tuple(folds)


def held_out_by(split: Split | None, clips: pd.DataFrame, count: int) -> ValidationBy:
    """What models do not hear of the clips that they judge, if ``clips`` are those outside the test.

    With ``count`` 1 it is that of the validation side of ``split``, unless that is None.
    """
    if count == 1 and split is not None:
        return split.validation_by
    return "speaker" if len(people_of(clips)) > 1 else "sentence"


def _rows_with_target(
    split: Split, manifest: pd.DataFrame, targets: AnyTargets, side: str
) -> NDArray[np.int64]:
    rows = split.positions(manifest, "train" if side == "train" else "validation")
    return rows[targets.kept[rows]]


def _held_out(clips: pd.DataFrame, count: int, seed: int) -> list[NDArray[np.bool_]]:
    """Which of ``clips`` judge, for each fold."""
    people = len(people_of(clips))
    if people > 1:
        spec = SplitSpec(protocol="kfold", folds=min(count, people))
        _, groups = deal_speakers(clips, Draw(spec, seed))
        return [spoken_by(clips, group).to_numpy() for group in groups]
    units = units_to_hold_out(clips)
    names = shuffle(sorted(set(units.names)), seed, "inner folds")
    if units.by == "speaker" or len(names) < 2:
        raise SplitError(
            f"a search needs two speakers or two known sentences outside the test, but there are "
            f"{format_count(people, 'speaker')} and {len(names) if units.by == 'sentence' else 'no'} known "
            f"sentences; use a protocol or a store with more"
        )
    group_of = {name: index % count for index, name in enumerate(names)}
    groups_of_clips = np.array([group_of[name] for name in units.names])
    return [groups_of_clips == group for group in range(min(count, len(names)))]
