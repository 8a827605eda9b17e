"""Windows of a sound that is fed in blocks are those of the whole sound, even if they are changed midway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from schemas.segmentation import Windows
from schemas.spec import AudioSpec
from training.predict.predictor import Prediction
from training.predict.streaming import WindowStream
from training.predict.windows import Span, Waveform, spans, window_of

RATE = 4000
AUDIO = AudioSpec(sample_rate=RATE, trim_db=None, normalise="none")
EMOTIONS = ("first", "sum")
LONGEST_S = 3.0


def summarise(span: Span, heard: Sequence[Waveform | None]) -> Prediction:
    """Not probabilities, but numbers that no two windows share."""
    (samples,) = heard
    if samples is None:
        return Prediction(*span, EMOTIONS, None)
    return Prediction(*span, EMOTIONS, np.array([samples[0], np.abs(samples).sum(dtype=np.float64)]))


def stream(window_s: float, step_s: float, rate: int = RATE) -> WindowStream:
    return WindowStream(rate, [AUDIO], Windows(window_s, step_s), LONGEST_S, summarise)


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


def blocks_of(samples: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    draw, at = np.random.default_rng(seed), 0
    while at < len(samples):
        size = int(draw.integers(1, RATE))
        yield samples[at : at + size]
        at += size


def require_windows_of(samples: np.ndarray, found: Sequence[Prediction]) -> None:
    """Each prediction is that of the samples in its span."""
    for one in found:
        part = window_of(samples, (one.start_s, one.stop_s), AUDIO)
        expected = summarise((one.start_s, one.stop_s), [part])
        np.testing.assert_array_equal(one.probabilities, expected.probabilities)


@given(
    seed=st.integers(0, 99),
    first=st.tuples(st.integers(2, 30), st.integers(1, 40)),
    then=st.tuples(st.integers(2, 30), st.integers(1, 40)),
    turn=st.integers(0, 20),
)
def test_changed_windows_are_those_of_the_whole_sound_from_then_on(
    seed: int, first: tuple[int, int], then: tuple[int, int], turn: int
) -> None:
    samples = noise(9.3, seed)
    old, new = (Windows(window / 10, step / 10) for window, step in (first, then))
    opened = stream(old.window_s, old.step_s)
    before: list[Prediction] = []
    after: list[Prediction] = []
    for number, block in enumerate(blocks_of(samples, seed)):
        if number == turn:
            opened.change(new)
        (after if number >= turn else before).extend(opened.feed(block))
    ended = list(opened.finish())
    require_windows_of(samples, [*before, *after, *ended])
    assert all(one.probabilities is not None for one in (*before, *after, *ended))
    grid = [(one.start_s, one.stop_s) for one in (*after, *ended)]
    last_s = before[-1].stop_s if before else 0.0
    if opened.windows == new:
        whole = spans(9.3, new.window_s, new.step_s)
        at = whole.index(grid[0]) if grid else len(whole)
        assert grid == whole[at:]
        # Nothing is missing after the last window, unless its first samples were no longer held.
        skipped = [span for span in whole[:at] if span[1] > last_s + 1e-6]
        assert all(span[0] < last_s + old.step_s for span in skipped)
    if turn == 0:
        assert grid == spans(9.3, new.window_s, new.step_s)


@pytest.mark.parametrize("rate", [44_100, 48_000, 11_025])
def test_a_rate_of_a_microphone_is_resampled_as_a_whole_file_is(rate: int) -> None:
    samples = noise(6.7, rate, rate)
    whole = soxr.resample(samples, rate, RATE, quality="HQ")
    opened = stream(2.0, 0.5, rate)
    found = [one for block in np.split(samples, range(0, len(samples), 4096)) for one in opened.feed(block)]
    found += opened.finish()
    assert [(one.start_s, one.stop_s) for one in found] == spans(len(samples) / rate, 2.0, 0.5)
    for one in found:
        part = whole[round(one.start_s * RATE) : round(one.stop_s * RATE)]
        expected = [part[0], np.abs(part).sum(dtype=np.float64)]
        np.testing.assert_allclose(one.probabilities, expected, rtol=1e-5, atol=1e-6)


def test_what_ended_too_long_ago_is_skipped_and_counted_but_never_the_newest() -> None:
    opened = stream(2.0, 0.25)
    opened.patience_s = 1.0
    assert [one.stop_s for one in opened.feed(noise(2.3))] == [2.0, 2.25]
    assert opened.skipped == 0
    late = [one.stop_s for one in opened.feed(noise(8.0))]  # the model was busy for 8 s
    assert late == [9.5, 9.75, 10.0, 10.25]
    assert opened.skipped == 28
    opened.patience_s = 0.0
    assert [one.stop_s for one in opened.feed(noise(5.1))] == [15.25]
    assert opened.skipped == 28 + 19


def test_a_window_without_a_sample_above_the_level_is_silent() -> None:
    samples = np.concatenate([noise(2.0), np.full(2 * RATE, 0.004, dtype=np.float32), noise(2.0, 1)])
    opened = stream(1.0, 1.0)
    opened.quietest = 0.005
    found = [*opened.feed(samples), *opened.finish()]
    assert [one.probabilities is None for one in found] == [False, False, True, True, False, False]
    opened = stream(1.0, 1.0)
    assert [one.probabilities is None for one in opened.feed(samples)] == [False] * 6


def test_memory_does_not_grow_with_the_sound() -> None:
    opened = stream(1.0, 0.5)
    for _ in range(60):
        assert len(list(opened.feed(noise(1.0)))) in {1, 2}
    (sound,) = opened._sounds  # what it holds cannot be seen from outside
    assert sound.first_s >= 60 - LONGEST_S - 1.0


def test_a_blip_has_no_window() -> None:
    opened = stream(1.0, 0.5)
    assert list(opened.feed(noise(0.05))) == []
    assert list(opened.finish()) == []
    opened = stream(1.0, 0.5)
    assert list(opened.feed(noise(0.6))) == []
    assert [(one.start_s, one.stop_s) for one in opened.finish()] == [(0.0, 0.6)]
