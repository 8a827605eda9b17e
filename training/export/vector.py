"""A test sound defined by a formula, so that a port can be checked without recordings."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from schemas.model import Model
from schemas.spec import StoreSpec

_SECONDS = 2.0
_SHARE_OF_WINDOW = 0.8
"""Less than 1, so that the sound ends before the window and a port must count valid frames."""


class Chirp(Model):
    """A voice-like sweep: a linearly rising fundamental with overtones, modulated three times per second.

    ``x[n] = amplitude · (0.6 − 0.4 · cos(2π · 3 · t)) · Σ_{h = 1…harmonics} sin(h · φ(t)) / h``,
    ``φ(t) = 2π · (from_hz · t + (to_hz − from_hz) · t² / (2 · seconds))``, ``t = n / sample_rate``,
    for n = 0 … samples − 1, computed in float64 and rounded to float32.
    """

    kind: Literal["chirp"] = "chirp"
    sample_rate: int
    samples: int
    seconds: float
    from_hz: float = 110.0
    to_hz: float = 220.0
    harmonics: int = 8
    amplitude: float = 0.25
    formula: str = (
        "x[n] = amplitude * (0.6 - 0.4 * cos(2 pi * 3 * t)) * sum(sin(h * phi(t)) / h "
        "for h = 1 ... harmonics); "
        "phi(t) = 2 pi * (from_hz * t + (to_hz - from_hz) * t^2 / (2 * seconds)); t = n / sample_rate; "
        "n = 0 ... samples - 1; float64, rounded to float32"
    )

    @classmethod
    def of(cls, spec: StoreSpec) -> Self:
        """A sweep that fits in a clip of ``spec``: 2 s, or four fifths of a shorter window."""
        rate = spec.audio.sample_rate
        samples = min(round(_SECONDS * rate), int(_SHARE_OF_WINDOW * spec.length))
        return cls(sample_rate=rate, samples=samples, seconds=samples / rate)

    @property
    def waveform(self) -> NDArray[np.float32]:
        """(samples,) float32."""
        t = np.arange(self.samples) / self.sample_rate
        phase = 2 * np.pi * (self.from_hz * t + (self.to_hz - self.from_hz) * t**2 / (2 * self.seconds))
        tones = sum(np.sin(h * phase) / h for h in range(1, self.harmonics + 1))
        swell = 0.6 - 0.4 * np.cos(2 * np.pi * 3 * t)
        return np.asarray(self.amplitude * swell * tones, dtype=np.float32)
