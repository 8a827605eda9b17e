"""Recordings that are read in blocks, against the same recordings read as a whole."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines import stream
from pipelines.decode import UnusableRecordingError, decode
from pipelines.stream import Stream, find_duration
from schemas.spec import AudioSpec
from tests.pipelines.speech import encoded, tone, without_length

AUDIO = AudioSpec()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BLOCK_SAMPLES", 4096)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_16"), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None)],
)
@pytest.mark.parametrize("in_memory", [True, False])
def test_blocks_are_the_recording(kind: str, subtype: str | None, in_memory: bool, tmp_path: Path) -> None:
    sound = np.stack([tone(300, 2.0, 48_000), tone(800, 2.0, 48_000)], axis=1)
    data = encoded(sound, 48_000, kind, subtype)
    path = tmp_path / "a.raw"  # libsndfile would ask for the rate of a file that is named so
    path.write_bytes(data)
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0].mean(axis=1, dtype=np.float32)
    found = Stream.open(data if in_memory else path, AUDIO)
    assert found.rate == 48_000
    assert found.duration_s == len(expected) / 48_000
    for _ in range(2):
        blocks = list(found.blocks())
        assert len(blocks) > 10
        np.testing.assert_array_equal(np.concatenate(blocks), expected)


def test_a_length_that_the_header_does_not_give_is_counted() -> None:
    data = without_length(encoded(tone(440, 1.5), 22_050, "FLAC"))
    assert find_duration(data) == pytest.approx(1.5, abs=1e-4)
    assert find_duration(data[:-3000]) is None


def test_the_length_is_known_without_decoding(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(encoded(tone(440, 1.5), 22_050))
    assert find_duration(path) == find_duration(path.read_bytes()) == pytest.approx(1.5, abs=1e-4)
    assert find_duration(b"no sound") is None
    assert find_duration(tmp_path / "gone.wav") is None
    assert find_duration(tmp_path) is None


SOUND = tone(440, 1.0)
BAD = {
    "silent": encoded(0 * SOUND, 22_050),
    "NaN": encoded(np.append(SOUND, np.nan), 22_050, "WAV", "FLOAT"),
    "full scale": encoded(np.append(SOUND, 1e4), 22_050, "WAV", "FLOAT"),
    "truncated": encoded(SOUND, 22_050)[:-2000],
    "as audio": b"no sound",
    "silent as mono": encoded(np.stack([SOUND, -SOUND], axis=1), AUDIO.sample_rate),
}


@pytest.mark.parametrize("problem", BAD)
def test_what_a_store_would_refuse_is_refused_before_the_first_block(problem: str) -> None:
    with pytest.raises(UnusableRecordingError, match=problem) as whole:
        decode(BAD[problem], AUDIO)
    with pytest.raises(UnusableRecordingError) as in_blocks:
        Stream.open(BAD[problem], AUDIO)
    assert str(in_blocks.value) == str(whole.value)
