"""torchaudio's transforms, one clip at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import librosa
import soundfile
import torch
import torch.nn.functional as F
from torchaudio.functional import compute_deltas, create_dct
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram, PitchShift, Resample

NAME = "torchaudio, clip by clip"
DOES = (
    "All seven views and six of seven features: no chroma and no tuning (torchaudio 2.11 has none); deltas "
    "by compute_deltas, not Savitzky-Golay; RMS and ZCR by torch; resampling at its defaults, which alias; "
    "decoded by soundfile, trimmed by librosa; torch's default number of threads."
)

RATE, LENGTH = 22_050, 66_150
N_FFT, HOP, WIDTH = 2048, 512, 9
ZERO = 1e-10
"""Amplitudes up to this count as zero in the zero-crossing rate, as in librosa."""


@torch.inference_mode()
def run(files: Sequence[Path]) -> int:
    """Compute the features; returns the number of views."""
    return sum(len([features(view) for view in views(load(file))]) for file in files)


def load(path: Path) -> torch.Tensor:
    """A recording at 22,050 Hz, mono, trimmed, cut or padded to 3 s: (samples,)."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    y = _resampler(rate, RATE)(torch.from_numpy(samples.mean(axis=1)))
    trimmed, _ = librosa.effects.trim(y.numpy(), top_db=40)
    return _fixed(torch.from_numpy(trimmed))


def views(y: torch.Tensor) -> list[torch.Tensor]:
    """The original, noise at 10 to 30 dB SNR, pitch +2 and −2, shift within ± 20 %, speed 0.8 and 1.25."""
    noise = torch.randn_like(y)
    snr_db = 10 + 20 * torch.rand(())
    gain = (y.square().mean() / noise.square().mean() / 10 ** (snr_db / 10)).sqrt()
    made = [
        y,
        y + gain * noise,
        _pitch(2)(y),
        _pitch(-2)(y),
        torch.roll(y, int(torch.randint(-LENGTH // 5, LENGTH // 5 + 1, ()))),
        # transforms.Speed(22_050, 1.25) would take the ratio 13,781 : 11,025 and a kernel of 600 MB for it.
        _resampler(4, 5)(y),
        _resampler(5, 4)(y),
    ]
    return [_fixed(view) for view in made]


def features(y: torch.Tensor) -> dict[str, torch.Tensor]:
    """Six features of one waveform, (coefficient, frame) each."""
    mel = _mel()(y)
    mfcc = _dct() @ mel
    delta = compute_deltas(mfcc, WIDTH)
    frames = F.pad(y, (N_FFT // 2, N_FFT // 2)).unfold(0, N_FFT, HOP)
    edges = F.pad(y[None], (N_FFT // 2, N_FFT // 2), mode="replicate")[0]
    negative = (edges < -ZERO).unfold(0, N_FFT, HOP)
    return {
        "mel": mel,
        "mfcc": mfcc,
        "delta": delta,
        "delta2": compute_deltas(delta, WIDTH),
        "rms": frames.square().mean(-1).sqrt()[None],
        "zcr": (negative[:, 1:] != negative[:, :-1]).sum(-1)[None] / N_FFT,
    }


def _fixed(y: torch.Tensor) -> torch.Tensor:
    return F.pad(y[:LENGTH], (0, max(0, LENGTH - len(y))))


@cache
def _resampler(source: int, target: int) -> Resample:
    return Resample(source, target)


@cache
def _pitch(semitones: int) -> PitchShift:
    return PitchShift(RATE, semitones)


@cache
def _mel() -> torch.nn.Module:
    """Mel spectrogram in dB at librosa's settings."""
    mel = MelSpectrogram(
        RATE, N_FFT, hop_length=HOP, n_mels=128, pad_mode="constant", norm="slaney", mel_scale="slaney"
    )
    return torch.nn.Sequential(mel, AmplitudeToDB(top_db=80))


@cache
def _dct() -> torch.Tensor:
    matrix: torch.Tensor = create_dct(40, 128, "ortho")
    return matrix.T.contiguous()
