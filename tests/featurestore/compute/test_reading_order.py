"""Segments of one recording are read one after another, by their ends; everything else keeps its order."""

from __future__ import annotations

from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from featurestore.compute.reading_order import (
    clips_in_reading_order,
    longest_group,
    rows_in_reading_order,
    split_by_recording,
)
from featurestore.plan.units import SourceClip, Unit
from schemas.clip import Clip
from schemas.labels import Gender

Cut = tuple[float, float | None]


def source(row: int, file: str, cut: Cut | None) -> SourceClip:
    start, end = cut or (None, None)
    clip = Clip(f"x/{row}", "x", f"{file}.wav", "x/s", Gender.UNKNOWN, "sad", "sad", start_s=start, end_s=end)
    return SourceClip(clip, Path(clip.path), "0" * 64)


cuts = st.tuples(st.integers(0, 9).map(float), st.integers(10, 19).map(float) | st.none())
rows = st.lists(st.none() | st.tuples(st.sampled_from("abc"), st.none() | cuts), max_size=12)


@hypothesis.given(rows)
def test_each_recording_is_one_group(made: list[tuple[str, Cut | None] | None]) -> None:
    sources = tuple(None if each is None else source(row, *each) for row, each in enumerate(made))
    unit = Unit("x", 0, 0, sources, "sha256:", 1)
    order = rows_in_reading_order(unit)
    assert sorted(order) == [row for row, each in enumerate(sources) if each is not None]
    clips = list(clips_in_reading_order(unit))
    assert clips == [sources[row] for row in order]
    groups = list(split_by_recording(clips))
    assert [clip for group in groups for clip in group] == clips
    cut = [group for group in groups if group[0].clip.is_segment]
    assert len(cut) == len({group[0].file for group in cut})
    for group in cut:
        ends = [float("inf") if each.clip.end_s is None else each.clip.end_s for each in group]
        assert ends == sorted(ends)
    assert all(len(group) == 1 for group in groups if group not in cut)
    assert longest_group(clips) == max(map(len, groups), default=0)


@hypothesis.given(st.lists(st.none() | st.sampled_from("abc"), max_size=12))
def test_without_segments_rows_keep_their_order(files: list[str | None]) -> None:
    sources = tuple(None if file is None else source(row, file, None) for row, file in enumerate(files))
    unit = Unit("x", 0, 0, sources, "sha256:", 1)
    assert rows_in_reading_order(unit) == [row for row, file in enumerate(files) if file is not None]


def test_a_recording_of_two_units_is_a_group_in_each() -> None:
    first = [source(0, "a", (0.0, 1.0)), source(1, "a", (1.0, 9.0))]
    second = [source(2, "a", (2.0, 3.0))]
    assert [len(group) for group in split_by_recording([*first, *second])] == [2, 1]
