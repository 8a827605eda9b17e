"""The voice activity detector finds voices between pauses, whatever the file is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines import speech
from pipelines.decode import UnusableRecordingError
from pipelines.speech import SpeechDetector, require_detector, split_speech
from schemas.errors import UsageError
from tests.pauses import RATE, PausedSpeech, speak_with_pauses
from tests.pipelines.speech import encoded, tone

TOLERANCE_S = 0.15


@pytest.fixture(scope="module")
def spoken(small_demo: Path) -> PausedSpeech:
    return speak_with_pauses(small_demo)


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    pytest.importorskip("silero_vad")
    return SpeechDetector.open()


def test_boundaries_are_near_those_of_the_voices(detector: SpeechDetector, spoken: PausedSpeech) -> None:
    found = detector.find(encoded(spoken.samples, RATE, subtype="PCM_16"))
    np.testing.assert_allclose(found, spoken.spans, atol=TOLERANCE_S)
    assert found == detector.find(encoded(spoken.samples, RATE, subtype="PCM_16"))


def test_rate_channels_and_container_hardly_matter(detector: SpeechDetector, spoken: PausedSpeech) -> None:
    sound = soxr.resample(spoken.samples / 32768, RATE, 44_100)
    found = detector.find(encoded(np.stack([sound, sound], axis=1), 44_100, "FLAC"))
    np.testing.assert_allclose(found, spoken.spans, atol=TOLERANCE_S)


def test_a_tone_is_no_speech(detector: SpeechDetector) -> None:
    assert detector.find(encoded(tone(440, 3.0, RATE), RATE)) == ()


def test_speech_lasts_at_most_until_the_end(detector: SpeechDetector, spoken: PausedSpeech) -> None:
    stop = int(spoken.spans[1][1] * RATE) - 1_003
    found = detector.find(encoded(spoken.samples[:stop], RATE, subtype="PCM_16"))
    assert len(found) == 2
    assert stop / RATE - 0.001 <= found[-1][1] <= stop / RATE


def test_unusable_recordings_are_refused(detector: SpeechDetector) -> None:
    with pytest.raises(UnusableRecordingError, match="silent"):
        detector.find(encoded(np.zeros(RATE, dtype=np.float32), RATE))


def test_threads_of_torch_stay(spoken: PausedSpeech) -> None:
    pytest.importorskip("silero_vad")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        SpeechDetector.open().find(encoded(spoken.samples, RATE, subtype="PCM_16"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"not installed; pip install 'ser-features\[vad\]'"):
        require_detector()


@given(
    lengths=st.lists(st.tuples(st.integers(0, 5_000), st.integers(250, 90_000)), max_size=5),
    longest=st.integers(1_000, 60_000).map(lambda n: n / 1000),
)
def test_speech_is_split_evenly_below_the_longest_clip(
    lengths: list[tuple[int, int]], longest: float
) -> None:
    spans, at = [], 0
    for pause, voice in lengths:
        spans.append(((at + pause) / 1000, (at + pause + voice) / 1000))
        at += pause + voice
    parts = list(split_speech(tuple(spans), 0.1, longest))
    assert all(0.1 < end - start < longest for start, end in parts)
    for start, end in spans:
        inside = [part for part in parts if start <= part[0] and part[1] <= end]
        assert (inside[0][0], inside[-1][1]) == (start, end)
        assert len(inside) <= math.ceil((end - start) / (longest - 0.002))
        sizes = [stop - begin for begin, stop in inside]
        assert max(sizes) - min(sizes) < 0.0021
        assert [part[0] for part in inside[1:]] == [part[1] for part in inside[:-1]]


def test_speech_too_short_for_a_clip_is_left_out() -> None:
    assert list(split_speech(((1.0, 1.4), (2.0, 4.0)), 0.5, 60.0)) == [(2.0, 4.0)]
