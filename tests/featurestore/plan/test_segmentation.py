"""Where windows are cut, against a formula."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from featurestore.plan.segmentation import cut_windows
from schemas.segmentation import Windows

tenths = st.integers(1, 200).map(lambda n: n / 10)


@given(duration=tenths, window=tenths, step=tenths)
def test_windows_follow_the_formula(duration: float, window: float, step: float) -> None:
    found = list(cut_windows(duration, Windows(window, step), 0.1))
    if duration <= window:
        assert found == [(0.0, None)]
        return
    tenth = [round(10 * seconds) for seconds in (duration, window, step)]
    starts = [n * tenth[2] for n in range(1 + math.ceil(max(0, tenth[0] - tenth[1]) / tenth[2]))]
    expected = [at for at in starts if at < tenth[0]]
    assert [round(10 * start) for start, _ in found] == expected
    for start, end in found:
        reaches_the_end = round(10 * start) + tenth[1] >= tenth[0]
        assert (end is None) == reaches_the_end
        assert end is None or math.isclose(end - start, window)


def test_a_rest_too_short_for_a_clip_is_left_out() -> None:
    assert list(cut_windows(6.05, Windows(3, 3), 0.1)) == [(0, 3), (3, 6)]
    assert list(cut_windows(6.2, Windows(3, 3), 0.1)) == [(0, 3), (3, 6), (6, None)]
