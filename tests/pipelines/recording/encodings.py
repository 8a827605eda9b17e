"""Every container and codec that soundfile can write, as bytes."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import soundfile

RATE = 8000
HEADERLESS = frozenset({"RAW", "SD2"})
"""RAW has no header, and the header of SD2 is in a second file."""

NO_ENCODER = frozenset({("AIFF", "DWVW_12"), ("MP3", "MPEG_LAYER_I"), ("MP3", "MPEG_LAYER_II")}) | {
    ("WAV", "MPEG_LAYER_III")
}
"""Listed by soundfile, but libsndfile only decodes them, or neither."""

CODECS = {
    container: [
        codec for codec in soundfile.available_subtypes(container) if (container, codec) not in NO_ENCODER
    ]
    for container in soundfile.available_formats()
    if container not in HEADERLESS
}
"""Container → its codecs."""


@cache
def noise(count: int, channels: int = 1) -> np.ndarray:
    """Samples (count, channels) that no codec makes short."""
    return np.random.default_rng(count).uniform(-0.4, 0.4, (count, channels))


@cache
def encode(
    container: str, codec: str | None, count: int = 8000, channels: int = 1, rate: int = RATE
) -> bytes:
    """A file of noise."""
    buffer = io.BytesIO()
    soundfile.write(buffer, noise(count, channels), rate, format=container, subtype=codec)
    return buffer.getvalue()
