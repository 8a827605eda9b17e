"""Where windows lie, and sounds that come in blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from tests.training.predict.test_predict import trained
from training.predict.ensemble import Ensemble
from training.predict.windows import spans, whole_windows


@given(
    duration=st.integers(1, 20_000), window=st.integers(10, 6000), step=st.integers(50, 4000)
)  # milliseconds
def test_windows_are_a_step_apart_and_the_last_ends_with_the_sound(
    duration: int, window: int, step: int
) -> None:
    found = spans(duration / 1000, window / 1000, step / 1000)
    starts = list(range(0, max(1, duration - window + 1), step))
    if starts[-1] + window < duration:
        starts.append(duration - window)
    expected = [(start, min(start + window, duration)) for start in starts]
    np.testing.assert_allclose(np.array(found) * 1000, expected, atol=1e-6)


@given(duration=st.integers(1, 20_000), window=st.integers(10, 6000), step=st.integers(50, 4000))
def test_windows_that_are_whole_do_not_move_as_the_sound_goes_on(
    duration: int, window: int, step: int
) -> None:
    count = whole_windows(duration / 1000, window / 1000, step / 1000)
    now = spans(duration / 1000, window / 1000, step / 1000)
    later = spans(duration / 1000 + 100, window / 1000, step / 1000)
    assert now[:count] == later[:count]
    assert len(now) - count <= 1


@pytest.fixture(scope="module")
def model(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    run = trained(demo_store, tmp_path_factory.mktemp("windows"), "functionals").folder.path
    return Ensemble.open([run], "cpu")


def blocks_of(samples: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    draw, at = np.random.default_rng(seed), 0
    while at < len(samples):
        size = int(draw.integers(1, 9000))
        yield samples[at : at + size]
        at += size


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.8, 6.35])
def test_a_sound_that_comes_is_told_as_a_file_of_it(
    model: Ensemble, tmp_path: Path, rate: int, seconds: float
) -> None:
    draw = np.random.default_rng(rate)
    t = np.arange(round(seconds * rate)) / rate
    samples = (0.1 * np.sin(2 * np.pi * 180 * t * (1 + 0.1 * t)) + draw.normal(0, 0.02, len(t))).astype("f4")
    samples[(t > 3.0) & (t < 5.5)] = 0  # a silence as long as a window
    path = tmp_path / "sound.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    expected = list(model.timeline(path, 2.0, 0.7))
    found = list(model.listen(blocks_of(samples, rate), rate, 2.0, 0.7))
    assert len(found) == len(expected) == (1 if seconds < 2 else 8)
    for one, two in zip(found, expected, strict=True):
        assert (one.start_s, one.stop_s) == pytest.approx((two.start_s, two.stop_s), abs=1e-9)
        assert (one.probabilities is None) == (two.probabilities is None)
        if one.probabilities is not None:
            np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-12)


def test_a_window_is_told_before_the_sound_goes_on(model: Ensemble) -> None:
    rate = 16_000
    samples = np.random.default_rng(0).normal(0, 0.1, 10 * rate).astype(np.float32)
    given: list[int] = []

    def blocks() -> Iterator[np.ndarray]:
        for at in range(0, len(samples), 1600):
            given.append(at + 1600)
            yield samples[at : at + 1600]

    for prediction in model.listen(blocks(), rate, 2.0, 1.0):
        # The resampler holds some milliseconds back: at most one block of a tenth of a second more.
        assert given[-1] / rate <= prediction.stop_s + 0.1 + 1e-9
    assert given[-1] == len(samples)


def test_no_sound_is_no_window_and_senseless_ones_are_refused_before_listening(model: Ensemble) -> None:
    assert list(model.listen(iter(()), 16_000)) == []
    with pytest.raises(UsageError, match="--window"):
        model.listen(iter(()), 16_000, 9.0)
    for step in (math.inf, math.nan, 1e-320, 1e-6, 0.0, -1.0):
        with pytest.raises(UsageError, match="is out of range"):
            model.listen(iter(()), 16_000, 1.0, step)
    blip = np.full(320, 0.1, dtype=np.float32)  # 20 ms: as a file it would be refused
    assert list(model.listen(iter((blip,)), 16_000)) == []
