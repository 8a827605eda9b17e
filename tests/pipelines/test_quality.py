"""Recordings degraded by known amounts."""

from dataclasses import astuple
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.quality import Quality, _k_weighting, measure_quality
from tests.pipelines.speech import RATE, Samples, encoded, gliding_voice, tone

FEW = settings(max_examples=40)


def quality(sound: npt.NDArray[np.floating], rate: int = RATE) -> Quality:
    """Of a mono file at the specification's own rate."""
    samples = sound.astype(np.float32)
    return measure_quality(samples[:, None], samples, rate)


def phrases(seconds: float = 3.0, rate: int = RATE) -> Samples:
    """A voice that pauses a quarter of the time: 0.6 s of sound, 0.2 s of digital zeros."""
    time = np.arange(int(seconds * rate)) / rate
    return np.where(time % 0.8 < 0.6, gliding_voice(140, seconds, rate)[: len(time)], 0).astype(np.float32)


def noise(like: npt.NDArray[np.floating], snr_db: float, seed: int = 0) -> npt.NDArray[np.float64]:
    """White noise whose power lies ``snr_db`` below that of the sound."""
    white = np.random.default_rng(seed).standard_normal(len(like))
    return white * np.sqrt(np.var(like) / np.mean(white**2) / 10 ** (snr_db / 10))


def pink(like: npt.NDArray[np.floating], snr_db: float, seed: int = 0) -> npt.NDArray[np.float64]:
    """Noise that falls by 3 dB an octave above 20 Hz."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(like)))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(len(like), 1 / RATE), 20))
    sound = np.fft.irfft(spectrum, len(like))
    return sound * np.sqrt(np.var(like) / np.var(sound) / 10 ** (snr_db / 10))


def sixteen_bit(sound: npt.NDArray[np.floating]) -> Samples:
    return (np.round(sound * 2**15) / 2**15).astype(np.float32)


@pytest.fixture(scope="module")
def speech(real_corpora: Path) -> dict[str, list[tuple[Samples, int]]]:
    """Twelve files of each corpus, spread over its speakers, mono."""
    found = {}
    for corpus in ("ravdess", "tess"):
        paths = sorted((real_corpora / corpus).glob("*/*.flac"))
        files = [
            soundfile.read(path, dtype="float32", always_2d=True) for path in paths[7 :: len(paths) // 12]
        ]
        found[corpus] = [(samples[:, 0], rate) for samples, rate in files[:12]]
    return found


# ITU-R BS.1770-4, tables 1 and 2
SHELF_48K = (1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585)
HIGH_PASS_48K = (1, -2, 1, 1, -1.99004745483398, 0.99007225036621)


def test_the_filter_at_48_khz_is_the_standards() -> None:
    assert np.allclose(_k_weighting(48_000), [SHELF_48K, HIGH_PASS_48K], rtol=0, atol=1.1e-14)


@pytest.mark.parametrize("rate", [16_000, RATE, 24_414, 44_100, 48_000, 96_000, 192_000])
def test_a_full_scale_sine_of_997_hz_has_minus_3_01_lufs(rate: int) -> None:
    assert quality(tone(997, 4.0, rate, amplitude=1.0), rate).loudness_lufs == pytest.approx(-3.01, abs=0.06)


@pytest.mark.parametrize(("rate", "tolerance"), [(48_000, 1e-4), (RATE, 0.06), (16_000, 0.1)])
@pytest.mark.parametrize("levels", [(1.0,), (1.0, 0.03, 0.3), (0.5, 0.0, 0.2, 1e-4)])
def test_loudness_is_that_of_another_meter(rate: int, tolerance: float, levels: tuple[float, ...]) -> None:
    """pyloudnorm lets the high-pass gain drift by 0.05 and 0.09 dB at the lower two rates."""
    voice = gliding_voice(140, 2.0, rate) + 0.1 * np.random.default_rng(0).standard_normal(2 * rate)
    sound = np.concatenate([level * voice for level in levels])
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(sound)
    assert quality(sound, rate).loudness_lufs == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("rate", "tolerance"), [(8_000, 0.15), (16_000, 0.05), (RATE, 0.05), (192_000, 0.05)]
)
def test_loudness_does_not_depend_on_the_rate(rate: int, tolerance: float) -> None:
    narrow = np.random.default_rng(1).uniform(-0.3, 0.3, 4 * 7_000)
    at_48k = pyloudnorm.Meter(48_000, filter_class="DeMan").integrated_loudness(
        soxr.resample(narrow, 7_000, 48_000)
    )
    measured = quality(soxr.resample(narrow, 7_000, rate), rate).loudness_lufs
    assert measured == pytest.approx(at_48k, abs=tolerance)


def test_at_4_khz_the_filter_is_stable_and_low_tones_keep_their_loudness() -> None:
    for section in _k_weighting(4_000):
        assert np.abs(np.roots(section[3:])).max() < 1
    at_48k = pyloudnorm.Meter(48_000, filter_class="DeMan").integrated_loudness(tone(300, 30.0, 48_000))
    assert quality(tone(300, 30.0, 4_000), 4_000).loudness_lufs == pytest.approx(at_48k, abs=0.05)


def test_loudness_needs_400_ms_and_minus_70_lufs() -> None:
    block = tone(997, 0.4)
    assert quality(block).loudness_lufs == pytest.approx(-9.03, abs=0.2)
    assert quality(block[:-1]).loudness_lufs is None
    assert quality(tone(997, 1.0, amplitude=10 ** (-66 / 20))).loudness_lufs == pytest.approx(-69.01, abs=0.1)
    assert quality(tone(997, 1.0, amplitude=10 ** (-68 / 20))).loudness_lufs is None


@FEW
@given(snr_db=st.floats(0, 40), seed=st.integers(0, 2**32 - 1))
def test_noise_added_to_a_clean_voice_is_measured(snr_db: float, seed: int) -> None:
    """Where noise and voice are equally strong, an error of the floor counts twice."""
    clean = phrases()
    tolerance = 1.2 if snr_db < 5 else 0.7
    assert quality(clean + noise(clean, snr_db, seed)).snr_db == pytest.approx(snr_db, abs=tolerance)


@pytest.mark.parametrize("rate", [4_000, 16_000, 48_000, 192_000])
def test_the_snr_does_not_depend_on_the_rate(rate: int) -> None:
    clean = phrases(rate=rate)
    assert quality(clean + noise(clean, 15), rate).snr_db == pytest.approx(15, abs=0.8)


@pytest.mark.parametrize(
    ("corpus", "kind", "median", "largest"),
    [
        ("ravdess", noise, 0.3, 0.8),
        ("ravdess", pink, 1.4, 2.5),
        ("tess", noise, 0.7, 4),
        ("tess", pink, 1.2, 4),
    ],
)
def test_noise_added_to_real_speech_is_measured(
    speech: dict[str, list[tuple[Samples, int]]],
    corpus: str,
    kind: type[noise],
    median: float,
    largest: float,
) -> None:
    steps = [0, 5, 10, 15, 20]
    errors = []
    for samples, rate in speech[corpus]:
        clean = soxr.resample(samples, rate, RATE, quality="HQ")
        estimates = [quality(clean + kind(clean, snr_db)).snr_db for snr_db in steps]
        assert np.all(np.diff(estimates) > 0)
        errors.append(np.subtract(estimates, steps))
    assert np.median(np.abs(errors)) < median
    assert np.quantile(np.abs(errors), 0.9) < largest


@pytest.mark.parametrize("rate", [4_000, 48_000])
def test_a_deep_voice_counts_in_full(rate: int) -> None:
    """40 Hz: most of the power lies between the means of 10 ms blocks, not within the blocks."""
    deep = tone(40, 3.0, rate) * (np.arange(3 * rate) / rate % 0.8 < 0.6)
    assert quality(deep + noise(deep, 15), rate).snr_db == pytest.approx(15, abs=0.8)


@pytest.mark.parametrize("lead", [0, 11_111, 48_000])
def test_digital_silence_around_a_recording_does_not_change_its_snr(lead: int) -> None:
    """Padded at 48 kHz, so that the resampler rings into the zeros. It also takes the noise above 11 kHz."""
    noisy = phrases(rate=48_000) + noise(phrases(rate=48_000), 20)
    padded = np.concatenate([np.zeros(lead), noisy, np.zeros(30_001)])
    expected = 20 + 10 * np.log10(48_000 / RATE)
    assert quality(soxr.resample(padded, 48_000, RATE)).snr_db == pytest.approx(expected, abs=0.8)


def test_the_dither_of_24_bits_is_digital_silence() -> None:
    noisy = phrases() + noise(phrases(), 20)
    dither = 2**-24 * np.random.default_rng(1).standard_normal(len(noisy))
    assert quality(np.concatenate([dither, noisy])).snr_db == pytest.approx(20, abs=0.8)


def test_where_there_is_no_noise_floor_there_is_no_snr() -> None:
    lone_frame = np.zeros(3 * RATE, np.float32)
    lone_frame[RATE : RATE + 2048] = tone(440, 1.0)[:2048]
    assert quality(lone_frame).snr_db is None
    assert quality(phrases()[: RATE // 10] + noise(phrases(), 20)[: RATE // 10]).snr_db is None
    assert quality(np.full(RATE, 0.1)).snr_db is None


def test_steady_noise_has_a_low_snr() -> None:
    white = np.random.default_rng(0).standard_normal(3 * RATE)
    assert -20 <= (quality(0.1 * white).snr_db or 0) < -5


@pytest.mark.parametrize(("snr_db", "expected"), [(60, 60), (95, 95), (105, 100)])
def test_very_clean_recordings_are_capped_at_100_db(snr_db: float, expected: float) -> None:
    clean = phrases()
    assert quality(clean + noise(clean, snr_db)).snr_db == pytest.approx(expected, abs=0.8)


@FEW
@given(level=st.floats(0.1, 0.45), gain=st.floats(0.01, 50), low=st.booleans(), high=st.booleans())
def test_clipped_samples_are_counted_at_any_level(level: float, gain: float, low: bool, high: bool) -> None:
    sound = sixteen_bit(gliding_voice(140, 2.0))
    top = np.float32(np.round(level * 2**15) / 2**15)
    clipped = np.clip(sound, -top if low else None, top if high else None) if low or high else sound
    beyond = high * np.sum(sound >= top) + low * np.sum(sound <= -top)
    assert quality(clipped * np.float32(gain)).clipping_ratio == beyond / len(sound)


def test_light_clipping_is_counted_whole_or_missed_below_two_in_a_thousand() -> None:
    sound = sixteen_bit(gliding_voice(140, 2.0))
    found = []
    for top in np.round(np.linspace(0.45, 0.53, 80) * 2**15).astype(np.float32) / np.float32(2**15):
        share = np.mean(sound >= top)
        ratio = quality(np.minimum(sound, top)).clipping_ratio
        assert ratio in ((0, share) if share < 0.002 else (share,))
        found.append(ratio)
    assert 0 < np.count_nonzero(found) < len(found)


@pytest.mark.parametrize("seconds", [0.01, 1.0])
def test_tops_of_three_samples_are_flat(seconds: float) -> None:
    sound = tone(997, seconds, 16_000, amplitude=1.0)
    clipped = np.clip(sound, -0.9, 0.9)
    assert quality(clipped, 16_000).clipping_ratio == np.mean(np.abs(sound) >= np.float32(0.9))


def test_clipping_counts_over_all_channels() -> None:
    sound = sixteen_bit(gliding_voice(140, 1.0, 48_000))
    channels = np.stack([sound * np.float32(0.9**k) for k in range(8)], axis=1)
    channels[:, 3] = np.clip(channels[:, 3], -0.25, 0.25)
    share = np.mean(np.abs(channels[:, 3]) == 0.25) / 8
    assert share > 0.001
    assert measure_quality(channels, sound, 48_000).clipping_ratio == share


CLEAN = {
    "quiet 16 bit": sixteen_bit(0.003 * gliding_voice(100, 2.0, 48_000)),
    "one step": sixteen_bit(2**-15 * gliding_voice(100, 2.0, 48_000)),
    "8 bit": (np.round(127 * gliding_voice(100, 2.0)) / 127).astype(np.float32),
    "192 kHz": sixteen_bit(0.02 * soxr.resample(gliding_voice(100, 2.0, 8_000), 8_000, 192_000)),
    "low tone": sixteen_bit(0.1 * tone(20, 2.0, 192_000)),
    "tone in step with the rate": tone(441, 2.0),
    "lone tops of equal height": np.append(tone(4410, 2.0), np.float32(0.475528)),
    "constant": np.full(RATE, 0.3, np.float32),
    "half silent": np.maximum(phrases(), 0),
}


@pytest.mark.parametrize("name", CLEAN)
def test_round_tops_are_not_clipped(name: str) -> None:
    assert quality(CLEAN[name]).clipping_ratio == 0


def test_real_recordings_are_not_clipped_but_for_the_one_that_is(
    speech: dict[str, list[tuple[Samples, int]]], real_corpora: Path
) -> None:
    for samples, rate in speech["ravdess"] + speech["tess"]:
        assert quality(samples, rate).clipping_ratio == 0
    samples, rate = soundfile.read(real_corpora / "tess/OAF_pleasant_surprise/OAF_pad_ps.flac")
    assert quality(samples, rate).clipping_ratio == np.mean(samples == -1.0)
    assert np.sum(samples == -1.0) == 50


def test_lossy_coding_hides_clipping(tmp_path: Path) -> None:
    clipped = np.clip(gliding_voice(140, 2.0), -0.3, 0.3)
    assert quality(clipped).clipping_ratio > 0.05
    path = tmp_path / "clipped.mp3"
    path.write_bytes(encoded(clipped, RATE, "MP3"))
    assert quality(soundfile.read(path)[0]).clipping_ratio == 0


@FEW
@given(
    lead=st.integers(0, 30_000),
    body=st.integers(1, 30_000),
    tail=st.integers(0, 30_000),
    floor=st.floats(1e-4, 0.2),
    gain=st.floats(1e-3, 100),
)
def test_silent_frames_are_librosas(lead: int, body: int, tail: int, floor: float, gain: float) -> None:
    rng = np.random.default_rng(lead + body)
    level = np.concatenate([np.full(lead, floor), np.ones(body), np.full(tail, floor)])
    sound = (gain * level * rng.uniform(-0.5, 0.5, len(level))).astype(np.float32)
    power = librosa.feature.rms(y=sound, frame_length=2048, hop_length=512, pad_mode="constant")[0] ** 2
    below = librosa.power_to_db(power, ref=np.max, amin=1e-30, top_db=None) + 40
    assert np.mean(below < -1e-3) <= quality(sound).silence_ratio <= np.mean(below < 1e-3)


@pytest.mark.parametrize("silent_frames", [0, 20, 100])
def test_padding_adds_its_share_of_silence(silent_frames: int) -> None:
    sound = gliding_voice(140, 2.0)[: 80 * 512]
    padded = np.concatenate([np.zeros(silent_frames * 512, np.float32), sound])
    share = silent_frames / (silent_frames + 81)
    assert quality(padded).silence_ratio == pytest.approx(share, abs=2 / (silent_frames + 81))


@pytest.mark.parametrize(("highest", "lowest"), [(0.2, -0.7), (0.7, -0.2)])
def test_the_peak_is_the_largest_of_either_sign_in_any_channel(highest: float, lowest: float) -> None:
    quiet = 0.1 * gliding_voice(140, 1.0)
    channels = np.stack([quiet, quiet], axis=1)
    channels[100, 0], channels[200, 1] = highest, lowest
    assert measure_quality(channels, quiet, RATE).peak == np.float32(0.7)


def test_channels_that_cancel_leave_silence_but_keep_their_peak() -> None:
    sound = gliding_voice(140, 1.0)
    measured = measure_quality(np.stack([sound, -sound], axis=1), np.zeros_like(sound), RATE)
    assert measured == Quality(None, 0.0, 1.0, pytest.approx(np.abs(sound).max()), None)


@FEW
@given(gain=st.floats(0.05, 50))
def test_gain_moves_level_and_loudness_alone(gain: float) -> None:
    sound = sixteen_bit(np.clip(phrases() + noise(phrases(), 30), -0.5, 0.5))
    before, after = quality(sound), quality(sound * np.float32(gain))
    assert after.peak == pytest.approx(before.peak * gain, rel=1e-6)
    assert after.loudness_lufs == pytest.approx((before.loudness_lufs or 0) + 20 * np.log10(gain), abs=1e-4)
    assert after.snr_db == pytest.approx(before.snr_db, abs=1e-3)
    assert (after.clipping_ratio, after.silence_ratio) == (before.clipping_ratio, before.silence_ratio)
    assert before.clipping_ratio > 0


def test_an_offset_changes_neither_snr_nor_clipping() -> None:
    sound = sixteen_bit(np.clip(phrases() + noise(phrases(), 30), -0.5, 0.5))
    before, after = quality(sound), quality(sound + np.float32(0.25))
    assert after.snr_db == pytest.approx(before.snr_db, abs=0.01)
    assert after.clipping_ratio == before.clipping_ratio
    assert after.peak == 0.75
    assert after.loudness_lufs == pytest.approx(before.loudness_lufs, abs=0.5)


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["noise", "clicks", "constant", "square", "denormal", "one sample", "speech"]),
    samples=st.integers(1, 20_000),
    channels=st.integers(1, 8),
    peak=st.floats(1e-4, 100),
    rate=st.integers(4_000, 192_000),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_measure_is_finite_and_in_its_range(
    kind: str, samples: int, channels: int, peak: float, rate: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    white = rng.uniform(-1, 1, (samples, channels))
    sound = {
        "noise": white,
        "clicks": white * (rng.random((samples, channels)) < 0.001),
        "constant": np.ones((samples, channels)),
        "square": np.sign(white),
        "denormal": white * 1e-41,
        "one sample": np.zeros((samples, channels)),
        "speech": gliding_voice(140, 5.0, 4_000)[:samples, None] * np.ones(channels),
    }[kind]
    sound = sound.copy()
    sound[-1, -1] = 1.0
    file = (sound * peak / np.abs(sound).max()).astype(np.float32)
    measured = measure_quality(file, file.mean(axis=1), rate)
    assert all(np.isfinite(value) for value in astuple(measured) if value is not None)
    assert 0 <= measured.clipping_ratio <= 1
    assert 0 <= measured.silence_ratio <= 1
    assert measured.peak == pytest.approx(peak, rel=1e-6)
    assert measured.snr_db is None or -20 <= measured.snr_db <= 100
    assert measured.loudness_lufs is None or measured.loudness_lufs > -70
