"""A clip with parts of its sound hidden: silence in a window of time, or a band of frequencies removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.mel_scale import mel_edges
from training.predict.windows import Span, Waveform

_FADE_S = 0.005
"""Length of the fades at the edges of a hidden window: a sudden end would be heard as a click."""


@dataclass(frozen=True)
class HiddenParts:
    """Windows of time and bands of frequencies that are hidden, one at a time.

    ``windows`` in seconds of the recording; ``bands`` in Hz.
    """

    windows: tuple[Span, ...]
    bands: tuple[Span, ...]

    @classmethod
    def slide(cls, start_s: float, stop_s: float, window_s: float, bands: int, top_hz: float) -> HiddenParts:
        """Overlap by half: windows of ``window_s`` over a sound, and bands from 0 Hz to ``top_hz``.

        All bands have the width of the mel range divided by ``bands``; the last window ends with the sound.
        """
        step = window_s / 2
        count = max(1, int(np.ceil((stop_s - start_s - window_s) / step - 1e-9)) + 1)
        starts = [max(start_s, min(start_s + i * step, stop_s - window_s)) for i in range(count)]
        windows = tuple((first, min(first + window_s, stop_s)) for first in starts)
        edges = mel_edges(round(2 * top_hz), 2 * bands - 1)
        return cls(windows, tuple((float(edges[i]), float(edges[i + 2])) for i in range(2 * bands - 1)))

    def shift(self, seconds: float) -> HiddenParts:
        """The same parts of a sound that starts this many seconds later."""
        return HiddenParts(tuple((a + seconds, b + seconds) for a, b in self.windows), self.bands)


def silence(samples: Waveform, rate: int, window: Span) -> Waveform:
    """``samples`` (n,) float32 at ``rate`` Hz, with silence from ``window[0]`` to ``window[1]`` seconds.

    The sound fades out and in within the window. A window outside the sound changes nothing.
    """
    times = np.arange(len(samples)) / rate
    inside = np.minimum(times - window[0], window[1] - times)
    gain = np.clip(1 - inside / _FADE_S, 0, 1)
    return np.where(inside >= 0, samples * gain, samples).astype(np.float32)


def remove_band(samples: Waveform, rate: int, band: Span) -> Waveform:
    """``samples`` (n,) float32 at ``rate`` Hz without the frequencies from ``band[0]`` to ``band[1]`` Hz.

    The Fourier transform of the whole clip is set to 0 between the edges.
    """
    spectrum: NDArray[np.complex128] = np.fft.rfft(samples.astype(np.float64))
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    top = band[1] if band[1] < rate / 2 * (1 - 1e-9) else np.inf
    spectrum[(frequencies >= band[0]) & (frequencies < top)] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)
