"""Where windows lie, and sounds that come in blocks."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.spec import AudioSpec
from tests.pipelines.speech import without_length
from tests.training.predict.test_predict import called, trained
from training.predict.ensemble import Ensemble
from training.predict.predictor import TooLongError
from training.predict.windows import spans, whole_windows, window_of, windows_of


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


@pytest.fixture(scope="module")
def interview(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70.5 s, longer than one prediction covers, with silences."""
    t = np.arange(round(70.5 * 8000)) / 8000
    samples = 0.2 * np.sin(2 * np.pi * (150 + 20 * np.sin(t)) * t) * (np.sin(2 * np.pi * t / 7) > -0.8)
    path = tmp_path_factory.mktemp("interview") / "interview.wav"
    soundfile.write(path, samples, 8000)
    return path


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_long_recording_is_read_in_blocks_with_the_same_predictions(
    model: Ensemble, interview: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    whole = list(model.timeline(interview, 3.0, 5.0))
    monkeypatch.setattr("training.predict.predictor._MOST_IN_MEMORY_S", 1.0)
    monkeypatch.setattr("training.predict.predictor.decode_sound", None)  # which would hold all samples
    monkeypatch.setattr("pipelines.stream._BLOCK_SAMPLES", 5000)
    found = list(model.timeline(interview.read_bytes() if in_memory else interview, 3.0, 5.0))
    assert len(found) == len(whole) == 15
    for one, two in zip(found, whole, strict=True):
        assert (one.start_s, one.stop_s) == (two.start_s, two.stop_s)
        assert (one.probabilities is None) == (two.probabilities is None)
        if one.probabilities is not None:
            np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-6)


def test_a_long_recording_is_too_long_for_one_prediction_and_not_decoded(
    model: Ensemble, interview: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.predict.predictor.decode_sound", None)
    for one in (model, model.predictors[0]):
        for source in (interview, str(interview), interview.read_bytes()):
            with pytest.raises(TooLongError, match=r"70.5 s long, .* at most 60 s; .*timeline") as refused:
                one.predict(source)
            assert "audio." not in str(refused.value)


def test_the_command_windows_a_long_recording_by_itself(model: Ensemble, interview: Path) -> None:
    (run,) = model.runs
    flac = io.BytesIO()
    soundfile.write(flac, *soundfile.read(interview), format="FLAC")
    streamed = without_length(flac.getvalue())
    for source, stdin in ((interview, b""), ("-", interview.read_bytes()), ("-", streamed)):
        status, out, err = called(run, source, "--csv", stdin=stdin)
        assert (status, len(out.splitlines())) == (0, 70)
        assert f"{source}: 70.5 s long, but one prediction covers at most 60 s" in err
        assert "--window 3" in err
        assert "max_duration_s" not in err


def test_a_recording_that_is_too_short_names_no_setting(model: Ensemble, tmp_path: Path) -> None:
    path = tmp_path / "blip.wav"
    soundfile.write(path, np.full(80, 0.1), 8000)
    for options in ((), ("--window", "2")):
        status, _, err = called(model.runs[0], path, *options)
        assert status == 1
        assert "blip.wav: 80 samples (10 ms); the shortest usable is 0.1 s\n" in err
        assert "1 of 1 recording could not be read" in err


@given(
    blocks=st.lists(st.integers(0, 3000), max_size=12),
    window=st.integers(100, 2500),
    step=st.integers(80, 4000),
)
def test_windows_of_blocks_are_those_of_the_whole(blocks: list[int], window: int, step: int) -> None:
    audio = AudioSpec(sample_rate=8000, trim_db=None)
    samples = np.random.default_rng(sum(blocks)).normal(0, 0.1, sum(blocks)).astype(np.float32)
    wanted = spans(len(samples) / 8000, window / 8000, step / 8000)
    parts = np.split(samples, np.cumsum(blocks)[:-1]) if blocks else []
    for span, found in windows_of(parts, 8000, audio, wanted):
        expected = window_of(samples, span, audio)
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_array_equal(found, expected)


def test_no_sound_is_no_window_and_senseless_ones_are_refused_before_listening(model: Ensemble) -> None:
    assert list(model.listen(iter(()), 16_000)) == []
    with pytest.raises(UsageError, match="--window"):
        model.listen(iter(()), 16_000, 9.0)
    for step in (math.inf, math.nan, 1e-320, 1e-6, 0.0, -1.0):
        with pytest.raises(UsageError, match="is out of range"):
            model.listen(iter(()), 16_000, 1.0, step)
    blip = np.full(320, 0.1, dtype=np.float32)  # 20 ms: as a file it would be refused
    assert list(model.listen(iter((blip,)), 16_000)) == []
