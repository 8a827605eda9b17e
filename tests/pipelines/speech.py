"""Signals with known properties for the pipeline's tests."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 22_050
Samples = npt.NDArray[np.float32]


def tone(frequency: float, seconds: float, rate: int = RATE, amplitude: float = 0.5) -> Samples:
    """A sine."""
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(
        np.float32
    )


def harmonics(f0: float, seconds: float, rate: int = RATE, count: int = 12) -> Samples:
    """A steady voice-like sound: harmonics of f0 that fall by 6 dB an octave."""
    sound = sum(tone(f0 * k, seconds, rate, 0.3 / k) for k in range(1, count + 1))
    return np.asarray(sound, dtype=np.float32)


def gliding_voice(f0: float, seconds: float, rate: int = RATE, count: int = 15, pace: float = 1.0) -> Samples:
    """Harmonics of an f0 that glides by ± 15 % three times in two seconds, with a syllable-like envelope.

    ``pace`` : how many times as fast glides and syllables go.
    """
    time = np.arange(int(seconds * rate)) / rate
    glide, syllable = 1.5 * pace, 4 * pace  # Hz
    phase = 2 * np.pi * f0 * (time - 0.15 * np.cos(2 * np.pi * glide * time) / (2 * np.pi * glide))
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * syllable * time)
    sound = envelope * sum(0.3 / k * np.sin(k * phase) for k in range(1, count + 1))
    return np.asarray(sound, dtype=np.float32)


def fundamental(samples: Samples, rate: int = RATE) -> float:
    """f0 in Hz of a steady sound: the parabolic peak of a zero-padded spectrum's second harmonic and first.

    Independent of the code under test: one long Blackman-windowed Fourier transform.
    """
    padded = 8 * len(samples)
    spectrum = np.abs(np.fft.rfft(samples * np.blackman(len(samples)), padded))
    peak = int(spectrum.argmax())
    a, b, c = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (a - c) / (a - 2 * b + c)) * rate / padded)


def encoded(
    samples: npt.NDArray[np.floating], rate: int, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    """The samples as a file's bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def without_length(flac: bytes) -> bytes:
    """The FLAC file as a program writes it to a pipe: 0 samples announced, which means unknown."""
    assert flac[:4] == b"fLaC"
    at = 18  # of 64 bits: rate, channels, bits per sample, and 36 bits of samples
    (packed,) = struct.unpack_from(">Q", flac, at)
    return flac[:at] + struct.pack(">Q", packed >> 36 << 36) + flac[at + 8 :]
