"""Features against librosa 0.11, within the errors that float32 allows (docs/architecture.md)."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from pipelines.decode import decode
from pipelines.features.extract import FeatureExtractor
from pipelines.features.mel import mel_edges, mel_filters
from pipelines.features.mfcc import dct_matrix
from schemas.spec import AudioSpec, MelSpec, MfccSpec, RmsSpec, SpectralSpec, StoreSpec, ZcrSpec
from tests.pipelines.speech import Samples, harmonics

LARGEST_ERROR = {"mel": 8e-4, "mfcc": 1e-3, "rms": 2e-7, "zcr": 0.0}
SETTINGS = {
    "22 kHz, hop 512": (22_050, 3.0, 2048, 512, 128, 40),
    "16 kHz, hop 160": (16_000, 2.0, 512, 160, 64, 40),
    "22 kHz, 4 s": (22_050, 4.0, 2048, 512, 128, 20),
}


def _spec(name: str) -> StoreSpec:
    rate, seconds, n_fft, hop, n_mels, n_mfcc = SETTINGS[name]
    return StoreSpec(
        audio=AudioSpec(sample_rate=rate, duration_s=seconds),
        spectral=SpectralSpec(n_fft=n_fft, hop_length=hop),
        features=(MelSpec(n_mels=n_mels), MfccSpec(n_mfcc=n_mfcc, n_mels=n_mels), RmsSpec(), ZcrSpec()),
    )


def _librosa(y: Samples, spec: StoreSpec) -> dict[str, np.ndarray]:
    n_fft, hop = spec.spectral.n_fft, spec.spectral.hop_length
    mel_spec, mfcc_spec = spec.features[0], spec.features[1]
    assert isinstance(mel_spec, MelSpec)
    assert isinstance(mfcc_spec, MfccSpec)
    power = librosa.feature.melspectrogram(
        y=y, sr=spec.audio.sample_rate, n_fft=n_fft, hop_length=hop, n_mels=mel_spec.n_mels
    )
    decibels = librosa.power_to_db(power)
    return {
        "mel": decibels,
        "mfcc": librosa.feature.mfcc(S=decibels, n_mfcc=mfcc_spec.n_mfcc),
        "rms": librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop),
        "zcr": librosa.feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop),
    }


def _fixed(samples: Samples, length: int) -> Samples:
    out = np.zeros(length, np.float32)
    out[: min(length, len(samples))] = samples[:length]
    return out


def _require_parity(clips: list[Samples], spec: StoreSpec) -> None:
    batch = np.stack([_fixed(clip, spec.audio.length) for clip in clips])
    ours = FeatureExtractor(spec, torch.device("cpu"))(torch.from_numpy(batch))
    for index, clip in enumerate(batch):
        for name, expected in _librosa(clip, spec).items():
            values = ours[name][index].numpy()
            assert values.shape == expected.shape == (values.shape[0], spec.frames)
            assert np.abs(values - expected).max() <= LARGEST_ERROR[name], name


@pytest.mark.parametrize("setting", SETTINGS)
def test_real_clips_equal_librosa(real_corpora: Path, setting: str) -> None:
    spec = _spec(setting)
    files = (
        sorted(real_corpora.glob("ravdess/*/*.flac"))[::120]
        + sorted(real_corpora.glob("tess/*/*.flac"))[::170]
    )
    assert len(files) >= 20
    _require_parity([decode(file.read_bytes(), spec.audio).samples for file in files], spec)


@pytest.mark.parametrize("setting", SETTINGS)
def test_synthetic_clips_equal_librosa(setting: str) -> None:
    spec = _spec(setting)
    rate = spec.audio.sample_rate
    rng = np.random.default_rng(0)
    quiet = (1e-4 * rng.standard_normal(rate)).astype(np.float32)
    crossing = np.tile(np.array([1e-11, -1e-11, 0.5, -0.0, -0.5], np.float32), rate // 5)
    _require_parity([harmonics(120, 1.2, rate), quiet, crossing, np.zeros(10, np.float32)], spec)


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels"), [(22_050, 2048, 128), (16_000, 512, 40), (48_000, 4096, 80)]
)
def test_mel_filters_equal_librosa(rate: int, n_fft: int, n_mels: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, dtype=np.float64)
    assert np.allclose(mel_filters(rate, n_fft, n_mels), expected, atol=1e-12)
    assert np.allclose(mel_edges(rate, n_mels), librosa.mel_frequencies(n_mels + 2, fmax=rate / 2))


def test_dct_matrix_is_orthonormal() -> None:
    matrix = dct_matrix(128, 128)
    assert np.allclose(matrix @ matrix.T, np.eye(128), atol=1e-12)


def test_the_floor_of_one_clip_does_not_move_anothers() -> None:
    """top_db is taken clip by clip (torchaudio's AmplitudeToDB takes it over the batch)."""
    spec = _spec("22 kHz, hop 512")
    extract = FeatureExtractor(spec, torch.device("cpu"))
    rng = np.random.default_rng(0)
    loud, quiet = rng.standard_normal((2, spec.audio.length)).astype(np.float32)
    quiet *= 1e-6
    both = extract(torch.from_numpy(np.stack([loud, quiet])))["mel"][1]
    alone = extract(torch.from_numpy(np.stack([quiet, quiet])))["mel"][1]
    assert torch.equal(both, alone)
