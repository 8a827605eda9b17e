"""The protocol ``random``: clips drawn regardless of who speaks, as in most published projects.

Its result tells how well known speakers are recognised, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pandas as pd

from schemas.errors import SplitError
from training.splits.assemble import Draw, assemble
from training.splits.draw import held_out, shuffle, strata
from training.splits.identical import join_identical
from training.splits.side import SIDES, Side
from training.splits.split import Split

_TRAIN, _VALIDATION, _TEST = SIDES
_STRATA: tuple[tuple[str, ...], ...] = (("dataset", "emotion"), ("dataset",), ())

Unit = TypeVar("Unit")


def at_random(usable: pd.DataFrame, draw: Draw) -> Split:
    """Clips of each corpus and emotion drawn into three sides; identical recordings stay together.

    Where a side stays empty that way, emotions are drawn together, then corpora too.

    Raises
    ------
    SplitError
        If fewer than three recordings are there.
    """
    recordings = join_identical(usable["clip_id"], usable["audio_sha256"])
    facts = _facts(usable)
    units = {unit: facts[unit] for unit in sorted(recordings.unique())}
    side_of, columns = _sides(units, draw, "random")
    return assemble(usable, recordings.map(side_of), draw, stratified_by=columns, validation_by="clip")


def at_random_with_leaked_views(usable: pd.DataFrame, draw: Draw, views: Sequence[int]) -> Split:
    """Samples, clip × view, of each corpus and emotion drawn into three sides: copies are on several.

    ``views`` are the indices that are drawn among. Where a side stays empty that way, emotions are drawn
    together, then corpora too.

    Raises
    ------
    SplitError
        If there is but one view, or too few samples.
    """
    if len(views) < 2:
        raise SplitError(
            "leaked views need copies, and the store's original view alone is read; build it with --augment, "
            "or leave out --leak-views"
        )
    units = {(clip, view): fact for clip, fact in sorted(_facts(usable).items()) for view in sorted(views)}
    side_of, columns = _sides(units, draw, "random views")
    of_side = {side: _by_clip(unit for unit in units if side_of[unit] == side) for side in SIDES}
    everywhere = pd.Series(_TRAIN, index=usable.index)
    return replace(
        assemble(usable, everywhere, draw, stratified_by=columns, validation_by="clip"),
        train=tuple(of_side["train"]),
        validation=tuple(of_side["validation"]),
        test=tuple(of_side["test"]),
        views=of_side,
    )


def _facts(usable: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Corpus and emotion by clip id."""
    return dict(zip(usable["clip_id"], zip(usable["dataset"], usable["emotion"], strict=True), strict=True))


def _sides(
    units: Mapping[Unit, tuple[str, str]], draw: Draw, name: str
) -> tuple[dict[Unit, Side], tuple[str, ...]]:
    """Side of every unit, and the columns within which they were drawn."""
    for columns in _STRATA:
        side_of: dict[Unit, Side] = {}
        for stratum, members in strata(units, partial(_stratum, units, len(columns))):
            test, validation = held_out(len(members), draw.spec)
            sides = [_TEST] * test + [_VALIDATION] * validation
            sides += [_TRAIN] * (len(members) - len(sides))
            side_of.update(zip(shuffle(members, draw.seed, name, *stratum), sides, strict=True))
        if set(side_of.values()) == set(SIDES):
            return side_of, columns
    raise SplitError(
        f"there are {len(units)} usable recordings, and a split needs at least three; build the store with a "
        "corpus"
    )


def _stratum(units: Mapping[Unit, tuple[str, ...]], depth: int, unit: Unit) -> tuple[str, ...]:
    return units[unit][:depth]


def _by_clip(samples: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    """View indices by clip id, of samples in order."""
    found: dict[str, tuple[int, ...]] = {}
    for clip, view in samples:
        found[clip] = (*found.get(clip, ()), view)
    return found
