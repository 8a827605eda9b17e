"""lhotse's augmentations and its batched Kaldi-style extractors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import soundfile
import torch
from lhotse import Fbank, FbankConfig, Mfcc, MfccConfig
from lhotse.audio.mixer import AudioMixer
from lhotse.augmentation import Resample, Speed

NAME = "lhotse, batches of 32"
DOES = (
    "Four of seven views (original, noise, two speeds: lhotse has neither pitch nor shift) and two of seven "
    "features, Kaldi-style log mel energies and MFCC with an STFT each; no deltas, chroma, RMS or ZCR; "
    "trimmed by librosa; torch's default number of threads."
)

RATE, LENGTH = 22_050, 66_150
N_FFT, HOP = 2048, 512
BATCH_CLIPS = 32
Samples = npt.NDArray[np.float32]


@torch.inference_mode()
def run(files: Sequence[Path]) -> int:
    """Compute the features; returns the number of views."""
    rng = np.random.default_rng(0)
    made = 0
    for first in range(0, len(files), BATCH_CLIPS):
        clips = [views(load(file), rng) for file in files[first : first + BATCH_CLIPS]]
        for view in map(np.stack, zip(*clips, strict=True)):
            features(torch.from_numpy(view))
            made += len(view)
    return made


def load(path: Path) -> Samples:
    """A recording at 22,050 Hz, mono, trimmed, cut or padded to 3 s: (samples,)."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    y = Resample(rate, RATE)(samples.mean(axis=1, keepdims=True).T)
    trimmed, _ = librosa.effects.trim(y[0], top_db=40)
    return _fixed(trimmed)


def views(y: Samples, rng: np.random.Generator) -> list[Samples]:
    """The original, noise at 10 to 30 dB SNR, and speed 0.8 and 1.25."""
    mixer = AudioMixer(y[None], RATE)
    mixer.add_to_mix(rng.standard_normal((1, LENGTH), dtype=np.float32), snr=rng.uniform(10, 30))
    # Speed rounds rate × factor: at 22,050 Hz, 1.25 would be 13,781 : 11,025, and its kernel 600 MB.
    slow, fast = (Speed(factor)(y[None], 20) for factor in (0.8, 1.25))
    return [_fixed(view) for view in (y, mixer.mixed_audio[0], slow[0], fast[0])]


def features(batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """Log mel energies and MFCC of (clip, samples): (clip, frame, coefficient) each."""
    mel, mfcc = _extractors()
    return {"mel": mel.extract_batch(batch, RATE), "mfcc": mfcc.extract_batch(batch, RATE)}


def _fixed(y: Samples) -> Samples:
    return np.asarray(librosa.util.fix_length(y, size=LENGTH))


@cache
def _extractors() -> tuple[Fbank, Mfcc]:
    frames = {"sampling_rate": RATE, "frame_length": N_FFT / RATE, "frame_shift": HOP / RATE}
    return (
        Fbank(FbankConfig(**frames, num_filters=128)),
        Mfcc(MfccConfig(**frames, num_filters=128, num_ceps=40)),
    )
