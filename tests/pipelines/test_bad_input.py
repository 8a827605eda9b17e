"""Every file that a corpus can hold ends as finite numbers within their ranges, or as a stated problem."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.decode import LOUDEST_PEAK, SILENCE_PEAK, Recording, UnusableRecordingError, decode
from pipelines.pipeline import Pipeline
from pipelines.quality import SNR_LIMITS_DB
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from schemas.views import PitchSpec, ShiftSpec, SpeedSpec, StretchSpec
from tests.pipelines.speech import RATE, Samples, encoded, fundamental, gliding_voice, tone
from tests.pipelines.test_pipeline import SPEC as EVERY_VIEW

SPEC = StoreSpec.model_validate(
    {
        **EVERY_VIEW.model_dump(),
        "views": (
            EVERY_VIEW.views[0],  # noise
            PitchSpec(name="pitch", semitones=2.0),
            ShiftSpec(name="shift", fraction=0.2),
            SpeedSpec(name="speed", factor=1.25),
            StretchSpec(name="stretch", factor=0.8),
        ),
    }
)
CPU = torch.device("cpu")

INTEGERS = {"PCM_16": 16, "PCM_24": 24}
SUBTYPES = {
    "WAV": {"PCM_U8": 8, **INTEGERS, "PCM_32": 25, "FLOAT": 25, "DOUBLE": 25},
    "AIFF": {"PCM_U8": 8, "PCM_S8": 8, **INTEGERS, "PCM_32": 25, "FLOAT": 25, "DOUBLE": 25},
    "FLAC": {"PCM_S8": 8, **INTEGERS},
    "OGG": {"VORBIS": 6},  # no bits of its own: an error of 1 %
}
"""Container → subtype → bits that a float32 keeps of it."""

ENCODINGS = [(kind, subtype) for kind, subtypes in SUBTYPES.items() for subtype in subtypes]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(SPEC, CPU)


def _require_quality(recording: Recording) -> None:
    quality = recording.quality
    assert SILENCE_PEAK <= quality.peak <= LOUDEST_PEAK
    assert 0 <= quality.clipping_ratio <= 1
    assert 0 <= quality.silence_ratio <= 1
    assert quality.snr_db is None or SNR_LIMITS_DB[0] <= quality.snr_db <= SNR_LIMITS_DB[1]
    if quality.loudness_lufs is not None:
        # The K-weighting raises by 4 dB at most, and a filter's overshoot by less than that again.
        assert -70 <= quality.loudness_lufs <= 20 * np.log10(quality.peak) + 8


def _require_sound(recording: Recording, audio: AudioSpec) -> None:
    assert recording.samples.dtype == np.float32
    assert recording.samples.ndim == 1
    assert len(recording.samples) > 0
    assert np.isfinite(recording.samples).all()
    if audio.normalise == "peak":
        assert np.abs(recording.samples).max() == pytest.approx(1, abs=1e-6)
    _require_quality(recording)


def _require_features(pipeline: Pipeline, samples: Samples) -> None:
    features = pipeline(["test/clip"], [samples])
    for values in (*features.arrays.values(), *features.mean.values(), *features.m2.values()):
        assert np.isfinite(values).all()
    assert min(values.min() for values in features.m2.values()) >= 0
    assert features.arrays["rms"].min() >= 0
    for name in ("zcr", "chroma"):
        assert 0 <= features.arrays[name].min() <= features.arrays[name].max() <= 1
    mel = features.arrays["mel"].astype(np.float32)
    assert (mel.max(axis=(2, 3)) - mel.min(axis=(2, 3))).max() <= 80.1


@settings(max_examples=60)
@given(
    encoding=st.sampled_from(ENCODINGS),
    file_rate=st.integers(4_000, 192_000),
    channels=st.integers(1, 8),
    rate=st.sampled_from([RATE, 16_000]) | st.integers(4_000, 96_000),
    position=st.floats(0.1, 0.8),
)
def test_any_encoding_rate_and_number_of_channels_gives_the_tone_that_was_written(
    encoding: tuple[str, str], file_rate: int, channels: int, rate: int, position: float
) -> None:
    """Oracle: the sine's own frequency, level and length."""
    kind, subtype = encoding
    if kind == "FLAC":
        file_rate -= file_rate % 10  # the format's own limit above 65,535 Hz
    if kind == "OGG":
        file_rate = max(file_rate, 8_000)  # Vorbis has no settings for several channels below
        position = min(position, 0.5)  # and filters high tones away
    hertz = position * min(file_rate, rate) / 2
    levels = np.linspace(0.3, 0.6, channels, dtype=np.float32)
    # Even: libsndfile takes the pad byte of an odd 8-bit AIFF for a sample.
    sound = tone(hertz, 0.5, file_rate, amplitude=1.0)[: file_rate // 4 * 2]
    data = encoded(sound[:, None] * levels, file_rate, kind, subtype)
    recording = decode(data, AudioSpec(sample_rate=rate))
    assert (recording.sample_rate, recording.channels, recording.container) == (file_rate, channels, kind)
    assert len(recording.samples) == pytest.approx(len(sound) * rate / file_rate, abs=2)
    assert fundamental(recording.samples, rate) == pytest.approx(hertz, abs=0.5)
    middle = recording.samples[len(recording.samples) // 4 : -len(recording.samples) // 4]
    error = 0.01 + 2.0 ** (1 - SUBTYPES[kind][subtype])
    assert np.std(middle) == pytest.approx(levels.mean() / np.sqrt(2), rel=error)
    _require_sound(recording, AudioSpec())


@settings(max_examples=25)
@given(
    encoding=st.sampled_from([pair for pair in ENCODINGS if pair[0] != "OGG"]),
    file_rate=st.integers(400, 19_200).map(lambda tens: 10 * tens),
    channels=st.integers(1, 8),
    seconds=st.floats(0.101, 1.5),
)
def test_any_encoding_gives_features_within_their_ranges(
    pipeline: Pipeline, encoding: tuple[str, str], file_rate: int, channels: int, seconds: float
) -> None:
    voice = gliding_voice(120, seconds, file_rate, count=4)
    data = encoded(np.stack([voice] * channels, axis=1), file_rate, *encoding)
    recording = decode(data, SPEC.audio)
    _require_sound(recording, SPEC.audio)
    _require_features(pipeline, recording.samples)


@pytest.mark.parametrize("rate", [4_000, 6_007, 8_000, 11_025, 16_000, 24_414, 44_100, 48_000, 96_000])
def test_any_rate_of_the_specification_gives_features_within_their_ranges(rate: int) -> None:
    n_fft = 2 * round(rate * 0.0464)
    spec = StoreSpec.model_validate(
        {
            **SPEC.model_dump(),
            "audio": AudioSpec(sample_rate=rate, trim_db=40.0),
            "spectral": SpectralSpec(n_fft=n_fft, hop_length=n_fft // 4),
        }
    )
    recording = decode(encoded(gliding_voice(140, 1.2, 44_100), 44_100), spec.audio)
    assert len(recording.samples) == pytest.approx(1.2 * rate, abs=2048 + 512)  # trimmed by whole frames
    _require_sound(recording, spec.audio)
    _require_features(Pipeline(spec, CPU), recording.samples)


VOICE = gliding_voice(140, 1.0)
COUNT = len(VOICE)
SIGNS = np.where(np.arange(COUNT) % 2, -1.0, 1.0)


def _with(base: float, sample: float) -> Samples:
    """A constant with one other sample in its middle."""
    sound = np.full(COUNT, base, np.float32)
    sound[COUNT // 2] = sample
    return sound


USABLE: dict[str, np.ndarray] = {
    "denormals around speech": np.concatenate([np.full(COUNT, 1e-40), VOICE, np.full(COUNT, 1e-40)]),
    "denormals under speech": VOICE + 1e-40 * SIGNS,
    "offset alone": np.full(COUNT, 0.5),
    "offset and speech": 0.4 + 0.5 * VOICE,
    "hard clipping": np.clip(20 * VOICE, -1, 1),
    "click in silence": _with(0, 0.5),
    "click at the start": np.concatenate([[1.0], np.zeros(COUNT)]),
    "click at the end": np.concatenate([np.zeros(COUNT), [-1.0]]),
    "one sample just loud enough": _with(0, 1.01e-4),
    "speech just loud enough": VOICE * (1.01e-4 / np.abs(VOICE).max()),
    "square wave": np.where(np.arange(COUNT) // 50 % 2, -1.0, 1.0),
    "one and minus one in turn": SIGNS,
    "up to the loudest peak": VOICE * (99.9 / np.abs(VOICE).max()),
    "square wave at the loudest peak": np.where(np.arange(COUNT) // 50 % 2, -100.0, 100.0),
    "pauses 110 dB below speech": VOICE * np.where(np.arange(COUNT) < COUNT // 2, 1.0, 10 ** (-110 / 20)),
    "shortest usable": VOICE[: RATE // 10],
    "shortest usable click": _with(0, 0.5)[COUNT // 2 :][: RATE // 10],
    "denormals from a speaker's pause on": np.where(np.arange(COUNT) < 9_000, VOICE, 1e-44),
}

UNUSABLE: dict[str, tuple[np.ndarray, str]] = {
    "denormals alone": (np.full(COUNT, 1e-40), r"silent: the loudest sample is 1e-40 of full scale"),
    "digital silence": (np.zeros(COUNT), r"silent: the loudest sample is 0 of full scale"),
    "one sample too quiet": (_with(0, -0.94e-4), r"silent: the loudest sample is 9e-05 of full scale"),
    "not a number": (_with(0.1, np.nan), r"1 sample.* NaN or infinite"),
    "infinite": (_with(0.1, np.inf), r"1 sample.* NaN or infinite"),
    "minus infinite": (_with(0.1, -np.inf), r"1 sample.* NaN or infinite"),
    "both infinite": (np.concatenate([_with(0, np.inf), _with(0, -np.inf)]), r"2 samples are NaN or inf"),
    "all not a number": (np.full(COUNT, np.nan), rf"{COUNT} samples are NaN or infinite"),
    "not a number in silence": (_with(0, np.nan), r"1 sample.* NaN or infinite"),
    "too loud": (_with(0, 101.0), r"the loudest sample is 101 times full scale"),
    "too loud below": (_with(0, -101.0), r"the loudest sample is 101 times full scale"),
    "integers as floats": (32_767 * VOICE, r"the loudest sample is \d\.\d+e\+04 times full scale"),
    "as large as float32 goes": (_with(0, 3.4e38), r"the loudest sample is 3\.4e\+38 times full scale"),
    "just too short": (VOICE[: RATE // 10 - 1], r"2204 samples .*the shortest usable is 0\.1 s"),
}

AUDIOS = [
    AudioSpec(trim_db=trim, normalise=normalise) for trim in (None, 40.0) for normalise in ("none", "peak")
]


@pytest.mark.parametrize("audio", AUDIOS, ids=lambda audio: f"trim {audio.trim_db}, {audio.normalise}")
@pytest.mark.parametrize("name", USABLE)
def test_difficult_sound_gives_numbers_within_their_ranges(
    pipeline: Pipeline, name: str, audio: AudioSpec
) -> None:
    recording = decode(encoded(USABLE[name].astype(np.float32), RATE, "WAV", "FLOAT"), audio)
    _require_sound(recording, audio)
    _require_features(pipeline, recording.samples)


@pytest.mark.parametrize("audio", AUDIOS, ids=lambda audio: f"trim {audio.trim_db}, {audio.normalise}")
@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_sound_is_refused_in_one_sentence_with_its_value(name: str, audio: AudioSpec) -> None:
    sound, problem = UNUSABLE[name]
    with pytest.raises(UnusableRecordingError, match=problem) as raised:
        decode(encoded(sound.astype(np.float32), RATE, "WAV", "FLOAT"), audio)
    assert str(raised.value).isprintable()  # so without a new line


def test_the_longest_usable_recording_is_told_from_one_sample_more() -> None:
    audio = AudioSpec(max_duration_s=2.0)
    sound = tone(440, 3.0)
    assert decode(encoded(sound[: 2 * RATE], RATE), audio).duration_s == 2.0
    with pytest.raises(UnusableRecordingError, match=r"s long; the limit is 2 s"):
        decode(encoded(sound[: 2 * RATE + 1], RATE), audio)


@pytest.mark.parametrize("normalise", ["none", "peak"])
@pytest.mark.parametrize(
    ("sound", "rate"),
    [
        (np.stack([tone(440, 1.0), -tone(440, 1.0)], axis=1), RATE),
        (tone(17_000, 1.0, 48_000) * np.hanning(48_000), 48_000),
    ],
    ids=["channels that cancel", "above half the new rate"],
)
def test_a_recording_of_which_nothing_is_left_is_silent(sound: np.ndarray, rate: int, normalise: str) -> None:
    """Else ``peak`` scales the rounding that is left to full scale."""
    audio = AudioSpec.model_validate({"normalise": normalise})
    with pytest.raises(UnusableRecordingError, match="silent"):
        decode(encoded(sound, rate), audio)
