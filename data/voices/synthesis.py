"""Synthetic voices: renders the plan of a clip to a 16-bit WAV file with a source-filter model.

A train of glottal pulses (KLGLOTT88: Klatt & Klatt 1990, doi 10.1121/1.398894) with jitter, shimmer and
aspiration passes a cascade of five time-varying resonators. Bursts and fricatives are filtered noise.
"""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, sosfilt

from data.voices.prosody import (
    FRAME_S,
    REPETITIONS,
    SENTENCES,
    Voice,
    VoicePlan,
    cast,
    generator,
    plan_clip,
    stem_of,
)
from schemas.labels import Emotion

SAMPLE_RATE = 16_000
"""Hz."""

_FRAME = round(FRAME_S * SAMPLE_RATE)
_BANDWIDTHS_HZ = np.array([70.0, 95.0, 130.0, 190.0, 270.0])
_OPEN_QUOTIENT = 0.62
_PEAK = 0.95


def write_voices(
    folder: Path, emotions: Sequence[Emotion], progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the missing clips to ``folder/<speaker>/<clip>.wav``, each atomically.

    Every speaker says every sentence in each of ``emotions``. ``progress`` is called with (clips done, all
    clips); existing clips count as done. Raises :class:`OSError` if the disk is full or refuses access.
    """
    jobs = list(product(cast(), SENTENCES, emotions, REPETITIONS))
    todo = [job for job in jobs if not _is_there(folder / _clip_path(*job))]
    done = len(jobs) - len(todo)
    for name in sorted({speaker.name for speaker, *_ in todo}):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for job in todo:  # more threads are not faster: most of the work holds the interpreter lock
        _write(folder / _clip_path(*job), plan_clip(*job))
        done += 1
        if progress is not None:
            progress(done, len(jobs))
    if not todo and progress is not None:
        progress(done, len(jobs))


def render(clip: VoicePlan) -> NDArray[np.int16]:
    """Synthesise the waveform of a plan: (samples,) int16 at :data:`SAMPLE_RATE`."""
    random = generator(clip.stem + "/noise")
    samples = len(clip.f0_hz) * _FRAME
    at = np.arange(samples) / _FRAME
    frames = np.arange(len(clip.f0_hz))
    source = _source(np.interp(at, frames, clip.f0_hz), clip, random)
    speech = _resonate(source * np.interp(at, frames, clip.voicing), clip.formants_hz)
    speech /= max(float(np.sqrt(np.mean(speech**2))), 1e-9)
    speech += _consonants(clip, random) * np.interp(at, frames, clip.noise)
    speech *= 10 ** (clip.level_db / 20) / float(np.sqrt(np.mean(speech**2)))
    speech *= min(1.0, _PEAK / float(np.abs(speech).max()))
    speech += 10 ** (clip.floor_db / 20) * random.standard_normal(samples)
    return np.round(np.clip(speech, -1, 1) * 32767).astype(np.int16)


def _source(f0: NDArray[np.float64], clip: VoicePlan, random: np.random.Generator) -> NDArray[np.float64]:
    """Derivative of the glottal flow with aspiration: (samples,)."""
    cycle = np.floor(np.cumsum(f0) / SAMPLE_RATE).astype(np.int64)
    jitter = 1 + 0.006 * clip.rough * random.standard_normal(cycle[-1] + 1)
    phase = np.cumsum(f0 * jitter[cycle]) / SAMPLE_RATE
    cycle = np.floor(phase).astype(np.int64)
    shimmer = 1 + 0.04 * clip.rough * random.standard_normal(cycle[-1] + 1)
    opening = (phase - cycle) / _OPEN_QUOTIENT
    is_open = opening < 1
    pulse = np.where(is_open, opening * (2 - 3 * opening), 0.0) * shimmer[cycle]
    pole = float(np.clip(0.72 - 0.22 * clip.bright, 0.2, 0.95))
    pulse = lfilter([1 - pole], [1, -pole], pulse)
    aspiration = random.standard_normal(f0.size) * np.where(is_open, 1.0, 0.3)
    return np.asarray(pulse + clip.breath * aspiration)


def _resonate(source: NDArray[np.float64], formants_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter with a cascade of second-order resonators (Klatt 1980); their frequencies change every frame."""
    radius = np.exp(-np.pi * _BANDWIDTHS_HZ / SAMPLE_RATE)
    b = 2 * radius * np.cos(2 * np.pi * formants_hz / SAMPLE_RATE)
    c = np.broadcast_to(-(radius**2), b.shape)
    zero = np.zeros_like(b)
    sections = np.stack([1 - b - c, zero, zero, np.ones_like(b), -b, -c], axis=2)
    state = np.zeros((b.shape[1], 2))
    out = np.empty_like(source)
    for frame, section in enumerate(sections):
        span = slice(frame * _FRAME, (frame + 1) * _FRAME)
        out[span], state = sosfilt(section, source[span], zi=state)
    return out


def _consonants(clip: VoicePlan, random: np.random.Generator) -> NDArray[np.float64]:
    """Noise of unit RMS around the noise frequency of each frame: (samples,)."""
    samples = len(clip.f0_hz) * _FRAME
    white = random.standard_normal(samples)
    out = np.zeros(samples)
    wanted = np.repeat(clip.noise_hz, _FRAME)
    sounding = np.repeat(clip.noise > 0, _FRAME)
    for hz in np.unique(wanted[sounding]):
        radius = np.exp(-np.pi * 0.3 * hz / SAMPLE_RATE)
        band = lfilter([1, 0, -1], [1, -2 * radius * np.cos(2 * np.pi * hz / SAMPLE_RATE), radius**2], white)
        out = np.where(wanted == hz, band / np.sqrt(np.mean(band**2)), out)
    return out


def _clip_path(speaker: Voice, sentence: str, emotion: Emotion, repetition: int) -> str:
    """Path of a clip relative to the corpus folder."""
    return f"{speaker.name}/{stem_of(speaker, sentence, emotion, repetition)}.wav"


def _is_there(path: Path) -> bool:
    """Whether the clip was written. A power cut can leave an empty file under the final name."""
    return path.is_file() and path.stat().st_size > 0


def _write(path: Path, clip: VoicePlan) -> None:
    waveform = render(clip)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(waveform.astype("<i2").tobytes())
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(file.getvalue())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
