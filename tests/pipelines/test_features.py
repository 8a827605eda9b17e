"""Features against librosa 0.11, within the errors that float32 allows (docs/design.md)."""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from pipelines.decode import decode
from pipelines.features.chroma import chroma_filters
from pipelines.features.extract import FeatureExtractor
from pipelines.features.mel_scale import mel_edges, mel_filters
from schemas.features import ChromaSpec, Delta2Spec, DeltaSpec, MelSpec, MfccSpec, RmsSpec, ZcrSpec
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from tests.pipelines.speech import Samples, harmonics

LARGEST_ERROR = {
    "mel": 8e-4,
    "mfcc": 1e-3,
    "delta": 2e-4,
    "delta2": 2e-4,
    "chroma": 3e-6,
    "chroma, tuning 0": 3e-6,
    "rms": 1e-7,  # librosa is up to 5.3e-8 from the exact value itself
    "zcr": 0.0,
}
SETTINGS = {
    "22 kHz, hop 512": (22_050, 3.0, 2048, 512, 128, 40),
    "16 kHz, hop 160": (16_000, 2.0, 512, 160, 64, 40),
    "22 kHz, 4 s": (22_050, 4.0, 2048, 512, 128, 20),
}


def _spec(name: str, tuning: float | None = None) -> StoreSpec:
    rate, seconds, n_fft, hop, n_mels, n_mfcc = SETTINGS[name]
    return StoreSpec(
        audio=AudioSpec(sample_rate=rate, duration_s=seconds),
        spectral=SpectralSpec(n_fft=n_fft, hop_length=hop),
        features=(
            MelSpec(n_mels=n_mels),
            MfccSpec(n_mfcc=n_mfcc, n_mels=n_mels),
            DeltaSpec(),
            Delta2Spec(),
            ChromaSpec(tuning=tuning),
            RmsSpec(),
            ZcrSpec(),
        ),
    )


def _librosa(y: Samples, spec: StoreSpec) -> dict[str, np.ndarray]:
    rate, n_fft, hop = spec.audio.sample_rate, spec.spectral.n_fft, spec.spectral.hop_length
    counts = spec.coefficients
    power = librosa.feature.melspectrogram(y=y, sr=rate, n_fft=n_fft, hop_length=hop, n_mels=counts["mel"])
    decibels = librosa.power_to_db(power)
    mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=counts["mfcc"])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty frequency set")
        chroma = librosa.feature.chroma_stft(y=y, sr=rate, n_fft=n_fft, hop_length=hop)
    return {
        "mel": decibels,
        "mfcc": mfcc,
        "delta": librosa.feature.delta(mfcc),
        "delta2": librosa.feature.delta(mfcc, order=2),
        "chroma": chroma,
        "chroma, tuning 0": librosa.feature.chroma_stft(y=y, sr=rate, n_fft=n_fft, hop_length=hop, tuning=0),
        "rms": librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop),
        "zcr": librosa.feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop),
    }


def _largest_errors(clips: list[Samples], setting: str) -> dict[str, float]:
    """Feature → largest absolute difference; each clip as long as it is, its padding never computed."""
    spec = _spec(setting)
    extract = FeatureExtractor(spec, torch.device("cpu"))
    untuned = FeatureExtractor(_spec(setting, tuning=0.0), torch.device("cpu"))
    errors = dict.fromkeys(LARGEST_ERROR, 0.0)
    for clip in clips:
        kept = clip[: spec.length]
        fixed = np.zeros(spec.length, np.float32)
        fixed[: len(kept)] = kept
        waveform = torch.from_numpy(np.ascontiguousarray(kept))[None]
        ours = extract(waveform) | {"chroma, tuning 0": untuned(waveform)["chroma"]}
        for name, expected in _librosa(fixed, spec).items():
            values = ours[name][0].numpy()
            assert values.shape == expected.shape == (values.shape[0], spec.frames)
            errors[name] = max(errors[name], float(np.abs(values - expected).max()))
    return errors


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.slow
def test_real_clips_equal_librosa(real_corpora: Path, setting: str) -> None:
    audio = _spec(setting).audio
    files = (
        sorted(real_corpora.glob("ravdess/*/*.flac"))[::48] + sorted(real_corpora.glob("tess/*/*.flac"))[::56]
    )
    assert len(files) >= 50
    errors = _largest_errors([decode(file.read_bytes(), audio).samples for file in files], setting)
    assert {name: e for name, e in errors.items() if e > LARGEST_ERROR[name]} == {}


@pytest.mark.parametrize("setting", SETTINGS)
def test_synthetic_clips_equal_librosa(setting: str) -> None:
    rate = _spec(setting).audio.sample_rate
    rng = np.random.default_rng(0)
    quiet = (1e-4 * rng.standard_normal(rate)).astype(np.float32)
    crossing = np.tile(np.array([1e-11, -1e-11, 0.5, -0.0, -0.5], np.float32), rate // 5)
    ends_below_zero = np.append(quiet, np.float32(-0.1))
    whole = (0.1 * rng.standard_normal(5 * rate)).astype(np.float32)
    clips = [harmonics(120, 1.2, rate), quiet, crossing, ends_below_zero, whole, np.zeros(10, np.float32)]
    errors = _largest_errors(clips, setting)
    assert {name: e for name, e in errors.items() if e > LARGEST_ERROR[name]} == {}


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_chroma"), [(22_050, 2048, 12), (16_000, 512, 24), (4_000, 256, 12)]
)
@pytest.mark.parametrize("tuning", [-0.5, -0.13, 0.0, 0.49])
def test_chroma_filters_equal_librosa(rate: int, n_fft: int, n_chroma: int, tuning: float) -> None:
    expected = librosa.filters.chroma(
        sr=rate, n_fft=n_fft, tuning=tuning, n_chroma=n_chroma, dtype=np.float64
    )
    assert np.allclose(chroma_filters(rate, n_fft, n_chroma, tuning), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels"), [(22_050, 2048, 128), (16_000, 512, 40), (48_000, 4096, 80)]
)
def test_mel_filters_equal_librosa(rate: int, n_fft: int, n_mels: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
    assert np.allclose(mel_filters(rate, n_fft, n_mels), expected, atol=1e-12)
    assert np.allclose(mel_edges(rate, n_mels), librosa.mel_frequencies(n_mels + 2, fmax=rate / 2))


def test_the_floor_of_one_clip_does_not_move_anothers() -> None:
    """top_db is taken clip by clip (torchaudio's AmplitudeToDB takes it over the batch)."""
    spec = _spec("22 kHz, hop 512")
    extract = FeatureExtractor(spec, torch.device("cpu"))
    rng = np.random.default_rng(0)
    loud, quiet = rng.standard_normal((2, spec.length)).astype(np.float32)
    quiet *= 1e-6
    both = extract(torch.from_numpy(np.stack([loud, quiet])))["mel"][1]
    alone = extract(torch.from_numpy(np.stack([quiet, quiet])))["mel"][1]
    assert torch.equal(both, alone)
