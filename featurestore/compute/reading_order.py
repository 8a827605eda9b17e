"""The order in which clips are read: segments of one recording follow each other, so it is decoded once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from featurestore.plan.units import SourceClip, Unit


def rows_in_reading_order(unit: Unit) -> list[int]:
    """Rows of the unit's clips: in their order, but segments of a recording with its first, by their ends.

    Without segments, this is the order of the rows.
    """
    first: dict[str, int] = {}
    keys = {}
    for row, source in enumerate(unit.rows):
        if source is None:
            continue
        clip = source.clip
        if not clip.is_segment:
            keys[row] = (row, 0.0, row)
            continue
        end = math.inf if clip.end_s is None else clip.end_s
        keys[row] = (first.setdefault(clip.path, row), end, row)
    return sorted(keys, key=keys.__getitem__)


def clips_in_reading_order(unit: Unit) -> Iterator[SourceClip]:
    """The unit's clips, in the order of :func:`rows_in_reading_order`."""
    for row in rows_in_reading_order(unit):
        source = unit.rows[row]
        if source is not None:
            yield source


def split_by_recording(sources: Sequence[SourceClip]) -> Iterator[tuple[SourceClip, ...]]:
    """Neighbours that are segments of one recording; each other clip alone.

    Segments whose ends do not increase begin a new group: they are of another unit.
    """
    for is_segment, group in groupby(sources, key=lambda source: source.clip.is_segment):
        if not is_segment:
            yield from ((source,) for source in group)
            continue
        for _, of_file in groupby(group, key=lambda source: source.file):
            yield from _ascending(of_file)


def longest_group(sources: Sequence[SourceClip]) -> int:
    """Clips of the longest of the groups of :func:`split_by_recording`; 0 if there are no clips."""
    return max(map(len, split_by_recording(sources)), default=0)


def _ascending(sources: Iterator[SourceClip]) -> Iterator[tuple[SourceClip, ...]]:
    run: list[SourceClip] = []
    last = 0.0
    for source in sources:
        end = math.inf if source.clip.end_s is None else source.clip.end_s
        if run and end < last:
            yield tuple(run)
            run = []
        run.append(source)
        last = end
    yield tuple(run)
