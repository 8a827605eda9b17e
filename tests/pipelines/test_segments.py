"""Segments, against files that hold only their samples, as soundfile reads them."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import segments
from pipelines.decode import Recording, UnusableRecordingError, decode
from pipelines.recording.sound_file import SoundFile
from pipelines.recording.source import MemorySource
from pipelines.segments import Segment, decode_segments
from schemas.spec import AudioSpec
from tests.pipelines.speech import encoded, harmonics, without_length

RATE = 16_000
AUDIO = AudioSpec(sample_rate=8_000, trim_db=30)
SECONDS = 3.0

CONTAINERS = {
    "WAV": ("WAV", "PCM_16"),
    "FLAC": ("FLAC", "PCM_16"),
    "FLAC without its length": ("FLAC", "PCM_16"),
    "Vorbis": ("OGG", "VORBIS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
}


@pytest.fixture(scope="module")
def sound() -> npt.NDArray[np.float32]:
    """Two channels; louder and softer, so that places differ."""
    voice = harmonics(140.0, SECONDS, RATE)
    swell = np.linspace(0.2, 1.0, len(voice), dtype=np.float32)
    return np.stack([voice * swell, voice[::-1] * 0.5], axis=1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let segments begin and end within, and last over, several blocks."""
    monkeypatch.setattr(segments, "_BLOCK_SAMPLES", 6_000)


def alone(data: bytes, segment: Segment, container: str = "") -> Recording:
    """What decoding gives of a float file with the segment's samples."""
    whole, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    if container == "MP3":  # libsndfile seeks before it reads a file whole, and rounds otherwise after that
        with SoundFile(MemorySource(data)) as file:
            whole = file.read(np.inf)
    stop = None if segment.end_s is None else round(segment.end_s * rate)
    return decode(encoded(whole[round(segment.start_s * rate) : stop], rate, "WAV", "FLOAT"), AUDIO)


def require_same(found: Recording | UnusableRecordingError, expected: Recording) -> None:
    assert isinstance(found, Recording), found
    for name in ("samples", "untrimmed"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.quality == expected.quality
    facts = (found.duration_s, found.sample_rate, found.channels, found.note)
    assert facts == (expected.duration_s, expected.sample_rate, expected.channels, "")


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_segment_is_what_a_file_of_its_samples_is(name: str, sound: npt.NDArray[np.float32]) -> None:
    data = encoded(sound, RATE, *CONTAINERS[name])
    cuts = [
        Segment(0.0, 0.5),
        Segment(0.4, 1.25),
        Segment(1.25, 1.25 + 1 / 3),
        Segment(0.0, 2.9),
        Segment(2.0, None),
    ]
    source = MemorySource(without_length(data) if name.endswith("length") else data)
    for cut, found in zip(cuts, decode_segments(source, cuts, AUDIO), strict=True):
        require_same(found, alone(data, cut, name))


times = st.floats(0, SECONDS, allow_nan=False)


@settings(max_examples=30)
@given(st.lists(st.tuples(times, times), min_size=1, max_size=6))
def test_any_segments_give_their_own_samples(made: list[tuple[float, float]]) -> None:
    ramp = (np.arange(int(SECONDS * RATE), dtype=np.float64) / (SECONDS * RATE) * 0.9 + 0.05).astype(
        np.float32
    )
    data = encoded(ramp, RATE, "WAV", "FLOAT")
    cuts = sorted((Segment(min(pair), max(pair)) for pair in made), key=lambda cut: cut.last_s)
    plain = AudioSpec(sample_rate=RATE, trim_db=None, min_duration_s=1e-5)
    for cut, found in zip(cuts, decode_segments(MemorySource(data), cuts, plain), strict=True):
        expected = (
            ramp[round(cut.start_s * RATE) : round(cut.end_s * RATE)] if cut.end_s is not None else ramp
        )
        if len(expected) == 0:
            assert isinstance(found, UnusableRecordingError)
            continue
        assert isinstance(found, Recording)
        np.testing.assert_array_equal(found.samples, expected)


def test_a_file_is_read_only_as_far_as_its_last_segment(
    sound: npt.NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    blocks = SoundFile.blocks

    def count(file: SoundFile, samples: int) -> object:
        for block in blocks(file, samples):
            read.append(len(block))
            yield block

    monkeypatch.setattr(SoundFile, "blocks", count)
    data = encoded(sound, RATE)
    found = list(decode_segments(MemorySource(data), [Segment(0.1, 0.3), Segment(0.2, 0.6)], AUDIO))
    assert all(isinstance(each, Recording) for each in found)
    assert 0.6 * RATE <= sum(read) < 0.6 * RATE + 3_000


def test_damage_spares_the_segments_before_it(sound: npt.NDArray[np.float32]) -> None:
    data = bytearray(encoded(sound, RATE, "FLAC", "PCM_16"))
    data[len(data) * 3 // 4] ^= 255
    first, last = decode_segments(MemorySource(bytes(data)), [Segment(0.1, 0.9), Segment(0.5, 2.9)], AUDIO)
    require_same(first, alone(encoded(sound, RATE, "FLAC", "PCM_16"), Segment(0.1, 0.9)))
    assert isinstance(last, UnusableRecordingError)
    assert "truncated or damaged" in str(last)


def test_what_is_wrong_with_a_segment_is_said_of_it_alone(sound: npt.NDArray[np.float32]) -> None:
    sound = sound.copy()
    sound[RATE : 2 * RATE] = 0
    sound[2 * RATE + 5, 1] = np.nan
    cuts = [Segment(0.0, 0.5), Segment(1.0, 1.9), Segment(1.0, 2.5), Segment(2.5, 3.05), Segment(2.5, 3.2)]
    cuts += [Segment(3.0, 3.3), Segment(0.0, 3.5)]
    limited = replace_limit(AUDIO, 1.4)
    found = list(decode_segments(MemorySource(encoded(sound, RATE, "WAV", "FLOAT")), cuts, limited))
    texts = [found_.note if isinstance(found_, Recording) else str(found_) for found_ in found]
    assert texts == [
        "",
        "silent: the loudest sample is 0 of full scale",
        "1.5 s long; the limit is 1.4 s (audio.max_duration_s)",
        "the segment ends 0.05 s after its recording, and is cut there",
        "the segment ends at 3.2 s, but its recording is only 3 s long",
        "the segment starts at 3 s, but its recording is only 3 s long",
        "the segment ends at 3.5 s, but its recording is only 3 s long",
    ]
    assert isinstance(found[1], UnusableRecordingError)
    assert (found[1].duration_s, found[1].sample_rate, found[1].channels) == (pytest.approx(0.9), RATE, 2)


def replace_limit(audio: AudioSpec, seconds: float) -> AudioSpec:
    return audio.model_copy(update={"max_duration_s": seconds})
