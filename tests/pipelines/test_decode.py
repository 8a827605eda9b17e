from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from pipelines.decode import UnusableRecordingError, decode
from pipelines.recording.sound_file import SoundFile
from schemas.spec import AudioSpec
from tests.pipelines.speech import RATE, encoded, tone, without_length

AUDIO = AudioSpec()


@pytest.mark.parametrize(
    ("kind", "subtype", "error"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7),
        ("WAVEX", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("AIFF", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.05),
        ("MP3", None, 0.05),
    ],
)
def test_every_format_gives_the_samples_that_were_written(
    kind: str, subtype: str | None, error: float
) -> None:
    sound = tone(440, 1.0)
    recording = decode(encoded(sound, RATE, kind, subtype), AUDIO)
    assert recording.sample_rate == RATE
    assert recording.channels == 1
    assert recording.duration_s == pytest.approx(1.0, abs=0.06)
    middle = slice(4000, 18_000)
    if kind in {"MP3", "OGG"}:  # lossy, and MP3 delays: compare the level
        assert np.std(recording.samples[middle]) == pytest.approx(np.std(sound[middle]), rel=error)
    else:
        assert np.abs(recording.samples - sound).max() <= error


def test_channels_are_averaged() -> None:
    left, right = tone(300, 0.5), tone(800, 0.5)
    recording = decode(encoded(np.stack([left, right], axis=1), RATE, "WAV", "FLOAT"), AUDIO)
    assert recording.channels == 2
    assert np.allclose(recording.samples, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("frequency", [12_500, 17_000])
def test_what_lies_above_half_the_new_rate_does_not_alias(frequency: float) -> None:
    recording = decode(encoded(tone(frequency, 1.0, 48_000), 48_000, "WAV", "FLOAT"), AUDIO)
    middle = recording.samples[2000:-2000]
    assert 20 * np.log10(np.std(middle) / np.std(tone(440, 1))) < -90


@pytest.mark.parametrize("rate", [4_000, 8_000, 16_000, 24_414, 44_100, 96_000, 192_000])
def test_a_tone_keeps_its_frequency_and_level_from_any_rate(rate: int) -> None:
    recording = decode(encoded(tone(1000, 1.0, rate), rate, "WAV", "FLOAT"), AUDIO)
    assert len(recording.samples) == pytest.approx(RATE, abs=2)
    frequencies, power = welch(recording.samples, RATE, nperseg=RATE // 4)
    assert frequencies[power.argmax()] == pytest.approx(1000, abs=4)
    assert np.std(recording.samples[2000:-2000]) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def _nan(count: int) -> bytes:
    sound = tone(440, 0.5)
    sound[100 : 100 + count] = np.nan
    return encoded(sound, RATE, "WAV", "FLOAT")


BAD = {
    "empty": (b"", "empty file"),
    "text": (b"this is not a sound\n" * 50, "not readable as audio"),
    "header alone": (encoded(tone(440, 0.5), RATE)[:20], "not readable as audio"),
    "truncated wav": (encoded(tone(440, 0.5), RATE)[:5000], "truncated: the header announces 22050 bytes"),
    "zero samples": (encoded(np.zeros(0, np.float32), RATE), "no samples"),
    "one sample": (encoded(np.ones(1, np.float32), RATE), "1 sample "),
    "nan": (_nan(3), "3 samples are NaN or infinite"),
    "too loud": (encoded(1e6 * tone(440, 0.5), RATE, "WAV", "FLOAT"), "times full scale; scale the samples"),
    "silence": (encoded(np.zeros(RATE, np.float32), RATE), "silent"),
    "ten minutes": (encoded(np.zeros(600 * 8000, np.int16), 8000), "600 s long; the limit is 60 s"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recording_is_named_for_what_it_is(name: str) -> None:
    data, problem = BAD[name]
    with pytest.raises(UnusableRecordingError, match=problem):
        decode(data, AUDIO)


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG"])
def test_half_a_file_is_noticed(kind: str) -> None:
    rng = np.random.default_rng(0)
    data = encoded(rng.uniform(-0.5, 0.5, RATE).astype(np.float32), RATE, kind)
    assert len(decode(data, AUDIO).samples) == RATE
    with pytest.raises(UnusableRecordingError):
        decode(data[: len(data) // 2], AUDIO)


def test_a_damaged_chunk_name_is_a_bad_recording_and_no_crash() -> None:
    """One changed byte makes ``fact`` an unknown chunk, which libsndfile's binding meets with ValueError."""
    data = bytearray(encoded(tone(440, 0.5), RATE, "WAV", "FLOAT"))
    at = data.index(b"fact")
    for position in range(at, at + 12):
        for value in (0, 0x23, 0x7F, 0xFF):
            damaged = bytearray(data)
            damaged[position] = value
            try:
                assert np.isfinite(decode(bytes(damaged), AUDIO).samples).all()
            except UnusableRecordingError:
                continue


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000])
def test_a_wav_that_was_written_to_a_pipe_is_whole(size: int) -> None:
    """Programs that stream cannot know the size: they announce a huge one, and nothing is missing."""
    data = bytearray(encoded(tone(440, 0.5), RATE))
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = size.to_bytes(4, "little")
    assert len(decode(bytes(data), AUDIO).samples) == RATE // 2


def test_a_flac_that_does_not_tell_its_length_is_read_to_its_end() -> None:
    whole = encoded(tone(440, 0.5), RATE, "FLAC")
    data = without_length(whole)
    assert np.array_equal(decode(data, AUDIO).samples, decode(whole, AUDIO).samples)
    with pytest.raises(UnusableRecordingError, match=r"^too long; the limit is 0\.3 s"):
        decode(data, AudioSpec(max_duration_s=0.3))


def test_a_long_flac_that_does_not_tell_its_length_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = without_length(encoded(np.zeros(20 * RATE), RATE, "FLAC"))
    asked: list[int] = []
    read = SoundFile._read
    monkeypatch.setattr(SoundFile, "_read", lambda file, count: asked.append(count) or read(file, count))
    with pytest.raises(UnusableRecordingError, match="too long"):
        decode(data, AUDIO.model_copy(update={"max_duration_s": 2.0}))
    assert asked == [2 * RATE + 1]


def test_a_bad_recording_still_tells_its_header() -> None:
    with pytest.raises(UnusableRecordingError) as raised:
        decode(BAD["ten minutes"][0], AUDIO)
    assert (raised.value.duration_s, raised.value.sample_rate, raised.value.channels) == (600.0, 8000, 1)


def test_damaged_files_never_escape_as_another_error() -> None:
    rng = np.random.default_rng(1)
    originals = [encoded(tone(440, 0.3), RATE, kind) for kind in ("WAV", "FLAC", "OGG", "AIFF")]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        data = bytearray(originals[rng.integers(len(originals))])
        for position in rng.integers(0, len(data), rng.integers(1, 12)):
            data[position] = rng.integers(256)
        try:
            stop = len(data) if rng.integers(2) else rng.integers(1, len(data))
            recording = decode(bytes(data[:stop]), AUDIO)
        except UnusableRecordingError:
            outcomes["refused"] += 1
        else:
            assert np.isfinite(recording.samples).all()
            outcomes["read"] += 1
    assert min(outcomes.values()) > 0


def test_trimming_leaves_the_sound() -> None:
    sound = np.concatenate([np.zeros(RATE, np.float32), tone(440, 1.0), np.zeros(RATE, np.float32)])
    recording = decode(encoded(sound, RATE), AudioSpec(trim_db=40))
    assert len(recording.samples) / RATE == pytest.approx(1.0, abs=0.15)
    assert recording.duration_s == pytest.approx(3.0)


def test_real_stereo_and_irregular_files_decode(real_corpora: Path) -> None:
    root = real_corpora
    irregular = {
        "tess/OAF_angry/OAF_back_angry.wav": 44_100,
        "tess/OAF_fear/OAF_food_fear.wav": 96_000,
        "tess/YAF_angry/YAF_germ_angry.wav": None,
        "tess/YAF_fear/YAF_neat_fear.wav": None,
        "tess/YAF_sad/YAF_beg_sad.wav": 44_100,
    }
    for name, rate in irregular.items():
        recording = decode((root / name).read_bytes(), AUDIO)
        assert rate in (None, recording.sample_rate)
        assert 0.5 < recording.duration_s < 6
    stereo = [p for p in (root / "ravdess").glob("*/*.flac") if soundfile.info(p).channels == 2]
    assert len(stereo) == 5
    assert all(decode(p.read_bytes(), AUDIO).channels == 2 for p in stereo)
