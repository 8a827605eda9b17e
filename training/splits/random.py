"""The protocol ``random``: clips drawn regardless of the speaker, as in most published projects.

Its result measures recognition of speakers known from training, and its title says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pandas as pd

from schemas.errors import SplitError
from schemas.messages.counts import format_count
from training.splits.assemble import Draw, assemble
from training.splits.draw import held_out, shuffle, strata
from training.splits.identical import join_identical
from training.splits.side import SIDES, Side
from training.splits.split import Split

_TRAIN, _VALIDATION, _TEST = SIDES
_STRATA: tuple[tuple[str, ...], ...] = (("dataset", "emotion"), ("dataset",), ())

Unit = TypeVar("Unit")


def at_random(usable: pd.DataFrame, draw: Draw) -> Split:
    """Draw the clips of each corpus and emotion into three sides.

    Identical recordings stay together, and so do the segments of a recording.

    If that leaves a side empty, emotions are drawn together, then corpora too.

    Raises
    ------
    SplitError
        If there are fewer than three recordings.
    """
    recordings = join_identical(usable["clip_id"], usable["audio_sha256"])
    facts = _facts(usable)
    units = {unit: facts[unit] for unit in sorted(recordings.unique())}
    side_of, columns = _sides(units, draw, "random")
    return assemble(usable, recordings.map(side_of), draw, stratified_by=columns, validation_by="clip")


def at_random_with_leaked_views(usable: pd.DataFrame, draw: Draw, views: Sequence[int]) -> Split:
    """Draw the samples, clip × view, of each corpus and emotion into three sides.

    Views of one recording can thus be on several sides. ``views`` are the view indices to draw from. If a
    side is left empty, emotions are drawn together, then corpora too.

    Raises
    ------
    SplitError
        If there is only one view, or too few samples.
    """
    if len(views) < 2:
        raise SplitError(
            "leaked views need augmented views, but only the store's original view is read; build the store "
            "with --augment, or leave out --leak-views"
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
    """Draw a side for every unit; also the columns within which units were drawn."""
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
        f"the store has {format_count(len(units), 'usable recording')}, but a split needs at least three; "
        "build it with another corpus"
    )


def _stratum(units: Mapping[Unit, tuple[str, ...]], depth: int, unit: Unit) -> tuple[str, ...]:
    return units[unit][:depth]


def _by_clip(samples: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    """View indices by clip id, in the order of ``samples``."""
    found: dict[str, tuple[int, ...]] = {}
    for clip, view in samples:
        found[clip] = (*found.get(clip, ()), view)
    return found
