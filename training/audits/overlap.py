"""Clips, speakers, recordings and sentences on several sides of a split."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from schemas.messages.counts import format_count
from training.audits.near_duplicates import Pair
from training.splits.side import SIDES, Side

MOST_NAMED = 100
"""Offenders of a check that are named; the rest are counted."""


@dataclass(frozen=True)
class Overlaps:
    """Number of offenders of a check, and sentences about the first: leaks, then admitted overlaps."""

    leaks: int = 0
    admitted: int = 0
    sentences: tuple[str, ...] = ()


def overlaps_of(leaks: Sequence[str], admitted: Sequence[str] = ()) -> Overlaps:
    """Overlaps described by one sentence each."""
    return Overlaps(len(leaks), len(admitted), tuple([*leaks, *admitted][:MOST_NAMED]))


def find_straddling(clips: pd.DataFrame, column: str, admitted: Collection[Side]) -> Overlaps:
    """Find values of ``column`` that are on more than one side, each with one clip per side.

    ``clips`` has one row per clip and side, with ``clip_id`` and ``side``. A value is admitted if all its
    sides are ``admitted``; otherwise it leaks.
    """
    first = clips.drop_duplicates([column, "side"])
    several = first[first.duplicated(column, keep=False)]
    outside = set(several[column][~several["side"].isin(list(admitted))])
    values = sorted(set(several[column]))
    leaks = [value for value in values if value in outside]
    rest = [value for value in values if value not in outside]
    named = [*leaks, *rest][:MOST_NAMED]
    where = several[several[column].isin(named)].groupby(column)
    described = {
        value: " and ".join(
            side if clip == value else f"{side} ({clip})"
            for side, clip in zip(group["side"], group["clip_id"], strict=True)
        )
        for value, group in where
    }
    return Overlaps(len(leaks), len(rest), tuple(f"{value} is on {described[value]}" for value in named))


def find_copies(clips: pd.DataFrame, pairs: Sequence[Pair], admitted: Collection[Side]) -> Overlaps:
    """Find pairs on different sides that sound the same but are different files.

    ``clips`` and ``admitted`` are as in :func:`find_straddling`.
    """
    involved = clips[clips["clip_id"].isin({c for pair in pairs for c in (pair.clip_a, pair.clip_b)})]
    sides = involved.groupby("clip_id")["side"].agg(set).to_dict()
    digest = dict(zip(involved["clip_id"], involved["audio_sha256"].fillna(""), strict=True))
    leaks: list[str] = []
    rest: list[str] = []
    for pair in pairs:
        one, other = sides.get(pair.clip_a, set()), sides.get(pair.clip_b, set())
        same_file = digest.get(pair.clip_a, "") == digest.get(pair.clip_b, "") != ""
        if same_file or not one or not other or len(one | other) < 2:
            continue
        sentence = (
            f"{pair.clip_a} ({_join_sides(one)}) and {pair.clip_b} ({_join_sides(other)}) sound the same "
            f"({pair.difference_db:.2f} dB apart)"
        )
        (rest if one | other <= set(admitted) else leaks).append(sentence)
    return overlaps_of(leaks, rest)


def sentences_of(clips: pd.DataFrame, side: Side) -> set[tuple[str, str]]:
    """Corpus and sentence of the clips of one side, if known."""
    return spoken_sentences(clips[clips["side"] == side])


def spoken_sentences(clips: pd.DataFrame) -> set[tuple[str, str]]:
    """Corpus and sentence of clips, if known."""
    spoken = clips[clips["sentence"].fillna("") != ""]
    return set(zip(spoken["dataset"], spoken["sentence"], strict=True))


def describe_shared_sentences(clips: pd.DataFrame) -> tuple[str, ...]:
    """One line per corpus that has sentences both in training and in validation or test."""
    spoken = clips[clips["sentence"].fillna("") != ""]
    lines = []
    for dataset, of_corpus in spoken.groupby("dataset", sort=True):
        trained = set(of_corpus["sentence"][of_corpus["side"] == "train"])
        held_out = of_corpus[of_corpus["side"] != "train"]
        shared = held_out["sentence"].isin(trained)
        if shared.any():
            lines.append(
                f"{dataset}: {format_count(held_out['sentence'][shared].nunique(), 'sentence')}, "
                f"in {int(shared.sum())} of {len(held_out)} validation and test clips"
            )
    return tuple(lines)


def _join_sides(sides: Collection[Side]) -> str:
    return " and ".join(side for side in SIDES if side in sides)
