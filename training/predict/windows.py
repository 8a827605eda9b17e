"""Windows of a sound and their samples, for a file or a live sound.

::

    sound     0 ──────────────────────────────────── duration
    windows   ├────┤  ├────┤  ├────┤  …        ├────┤   one per step; the last one ends with the sound

Both have exactly the same samples. A window of a live sound is ready as soon as the sound reaches its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from pipelines.decode import SILENCE_PEAK, prepare
from schemas.spec import AudioSpec

Waveform = NDArray[np.float32]
"""Samples (n,), mono."""

Span = tuple[float, float]
"""Start and end of a window, seconds."""

_ROUNDING = 1e-9


def whole_windows(duration_s: float, window_s: float, step_s: float) -> int:
    """Number of windows within a sound of ``duration_s`` seconds, starting at 0, ``step_s`` apart."""
    if duration_s < window_s - _ROUNDING:
        return 0
    return int((duration_s - window_s) / step_s + _ROUNDING) + 1


def spans(duration_s: float, window_s: float, step_s: float) -> list[Span]:
    """Windows of a whole sound; a sound shorter than a window is its only window."""
    count = whole_windows(duration_s, window_s, step_s)
    found = [(n * step_s, n * step_s + window_s) for n in range(count)]
    if not found or found[-1][1] < duration_s - _ROUNDING:
        found.append((max(0.0, duration_s - window_s), duration_s))
    return found


def window_of(
    samples: Waveform, span: Span, audio: AudioSpec, first: int = 0, quietest: float = SILENCE_PEAK
) -> Waveform | None:
    """A window, trimmed and scaled like a clip of a store; None if it is silent.

    ``samples`` (n,) are at the specification's rate and start at sample ``first`` of the sound. A window is
    silent if no sample reaches ``quietest``, at least the level below which a store refuses a clip.
    """
    start = round(span[0] * audio.sample_rate) - first
    part = samples[start : start + round((span[1] - span[0]) * audio.sample_rate)]
    silent = np.abs(part).max(initial=0.0) < max(quietest, SILENCE_PEAK)
    return None if silent else prepare(part, audio)


class LiveSound:
    """A sound that arrives in blocks, resampled exactly as a file."""

    def __init__(self, rate: int, audio: AudioSpec) -> None:
        self._audio = audio
        self._resample = (
            None
            if rate == audio.sample_rate
            else soxr.ResampleStream(rate, audio.sample_rate, 1, dtype="float32", quality="HQ")
        )
        self._held: Waveform = np.zeros(0, dtype=np.float32)
        self._first = 0

    def add(self, block: Waveform, *, last: bool = False) -> None:
        """Add the next samples (n,) float32 mono; ``last``: no more will follow."""
        new = block if self._resample is None else self._resample.resample_chunk(block, last=last)
        self._held = np.concatenate((self._held, new))

    @property
    def first_s(self) -> float:
        """Time in seconds of the first sample that is held."""
        return self._first / self._audio.sample_rate

    def reaches(self, second: float) -> bool:
        """Whether all samples before ``second`` have arrived."""
        return self._first + len(self._held) >= round(second * self._audio.sample_rate)

    def discard(self, second: float) -> None:
        """Discard the samples before ``second`` that have arrived."""
        begin = min(len(self._held), max(0, round(second * self._audio.sample_rate) - self._first))
        self._held, self._first = self._held[begin:], self._first + begin

    def window(self, span: Span, quietest: float = SILENCE_PEAK) -> Waveform | None:
        """Samples of a window, as :func:`window_of` returns them."""
        return window_of(self._held, span, self._audio, self._first, quietest)


def windows_of(
    blocks: Iterable[Waveform], rate: int, audio: AudioSpec, wanted: Iterable[Span]
) -> Iterator[tuple[Span, Waveform | None]]:
    """Windows of a sound that is given in blocks at ``rate`` Hz, as :func:`window_of` cuts them.

    ``wanted`` : spans in order, within the sound. Only the samples of a window and a block are held.
    """
    sound, coming, ended = LiveSound(rate, audio), iter(blocks), False
    for span in wanted:
        while not ended and not sound.reaches(span[1]):
            block = next(coming, None)
            ended = block is None
            sound.add(np.zeros(0, dtype=np.float32) if block is None else block, last=ended)
            sound.discard(span[0])
        sound.discard(span[0])
        yield span, sound.window(span)
