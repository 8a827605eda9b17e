"""Hidden windows and bands, against plain sums and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import periodogram

from training.explain.hidden import HiddenParts, remove_band, silence

RATE = 8000
NOISE = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)


def test_silence_is_complete_within_a_window_and_changes_nothing_outside() -> None:
    found = silence(NOISE, RATE, (0.25, 0.5))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[: RATE // 4], NOISE[: RATE // 4])
    np.testing.assert_array_equal(found[RATE // 2 + 1 :], NOISE[RATE // 2 + 1 :])
    faded = round(0.005 * RATE)
    assert not found[RATE // 4 + faded : RATE // 2 - faded].any()
    assert np.abs(np.diff(silence(np.ones_like(NOISE), RATE, (0.25, 0.5)))).max() < 0.05
    np.testing.assert_array_equal(silence(NOISE, RATE, (2.0, 3.0)), NOISE)


def test_a_removed_band_has_no_power_and_the_others_keep_theirs() -> None:
    frequencies, before = periodogram(NOISE, RATE)
    _, after = periodogram(remove_band(NOISE, RATE, (1000, 2000)), RATE)
    inside = (frequencies >= 1000) & (frequencies < 2000)
    assert after[inside].max() < 1e-6 * before.max()
    outside = ~inside & (frequencies > 0)
    np.testing.assert_allclose(after[outside], before[outside], rtol=1e-2, atol=1e-9)
    everything = remove_band(NOISE, RATE, (0, RATE / 2))
    assert np.abs(everything).max() < 1e-6


@pytest.mark.parametrize(("stop", "window"), [(1.0, 0.2), (0.93, 0.2), (0.1, 0.2), (0.5, 0.5)])
def test_windows_and_bands_cover_everything_and_overlap_by_half(stop: float, window: float) -> None:
    parts = HiddenParts.slide(0.0, stop, window, 6, RATE / 2)
    assert parts.windows[0][0] == 0
    assert parts.windows[-1][1] == pytest.approx(stop)
    for (start, end), (following, _) in zip(parts.windows, parts.windows[1:], strict=False):
        assert end - start == pytest.approx(window)
        assert 0 < following - start <= window / 2 + 1e-9
    assert len(parts.bands) == 11
    assert parts.bands[0][0] == 0
    assert parts.bands[-1][1] == pytest.approx(RATE / 2)
    assert all(two[0] < one[1] for one, two in zip(parts.bands, parts.bands[1:], strict=False))
    assert [one[1] for one in parts.bands[:-2]] == pytest.approx([two[0] for two in parts.bands[2:]])


def test_later_parts_keep_their_bands() -> None:
    parts = HiddenParts.slide(0.0, 1.0, 0.5, 2, RATE / 2)
    later = parts.shift(3.0)
    assert later.windows[0] == (3.0, 3.5)
    assert later.bands == parts.bands
