"""Finds speech in recordings of any length with the voice activity detector Silero VAD.

::

    recording ──▶ decode in blocks, mean of the channels ──▶ 16 kHz ──▶ probability of speech every 32 ms
                                                                  ──▶ segments, in seconds

The model is a file in the package ``silero-vad``, so no network is needed. It computes on the CPU, in one
thread, so that a recording has the same segments wherever it is read.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import soxr

from pipelines.process import single_threaded
from pipelines.recording.source import RecordingFile
from pipelines.stream import Stream
from schemas.errors import UsageError
from schemas.spec import AudioSpec

if TYPE_CHECKING:
    import torch

Span = tuple[float, float]
"""Start and end in seconds."""

RATE = 16_000
_FRAME = 512
"""Samples of which the model predicts whether they are speech."""

THRESHOLD = 0.5
SHORTEST_SPEECH_S = 0.25
"""Speech that is shorter is left out."""
SHORTEST_PAUSE_S = 0.3
"""A pause that is shorter does not end a segment."""
PADDING_S = 0.03
"""Sound that is kept before and after speech."""

_MARGIN_S = 0.002
"""Parts of a segment stay this much below the longest clip, as their times are whole milliseconds."""

_AUDIO = AudioSpec(sample_rate=RATE)


def detector_settings() -> str:
    """Version and settings of the detector, which determine its segments. Raises :class:`UsageError`."""
    require_detector()
    version = metadata.version("silero-vad")
    return f"silero-vad {version}, {THRESHOLD}, {SHORTEST_SPEECH_S}, {SHORTEST_PAUSE_S}, {PADDING_S}"


def require_detector() -> None:
    """Raise :class:`UsageError` if the package is missing."""
    if find_spec("silero_vad") is None:
        raise UsageError(
            "--segment silero needs the package silero-vad, which is not installed; "
            "pip install 'ser-features[vad]'"
        )


@dataclass(frozen=True)
class SpeechDetector:
    """The model, which keeps its state from frame to frame: use it in one thread at a time."""

    _model: torch.jit.ScriptModule

    @classmethod
    def open(cls) -> Self:
        """Load the model. Raises :class:`UsageError` if the package is missing."""
        require_detector()
        # Importing the package sets the number of threads of the whole process.
        with single_threaded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package, about its own way of loading
            import silero_vad

            return cls(silero_vad.load_silero_vad())

    def find(self, recording: RecordingFile) -> tuple[Span, ...]:
        """Segments of speech in order, whole milliseconds in seconds, within the recording.

        Raises :class:`~pipelines.decode.UnusableRecordingError` for a recording that a store would refuse
        for another reason than its length, and OSError if it cannot be read.
        """
        stream = Stream.open(recording, _AUDIO)
        with single_threaded():
            from silero_vad import get_speech_timestamps_from_probs

            found = get_speech_timestamps_from_probs(
                self._probabilities(stream),
                sampling_rate=RATE,
                threshold=THRESHOLD,
                min_speech_duration_ms=1000 * SHORTEST_SPEECH_S,
                min_silence_duration_ms=1000 * SHORTEST_PAUSE_S,
                speech_pad_ms=1000 * PADDING_S,
                audio_length_samples=int(stream.duration_s * RATE),
            )
        return tuple((_milliseconds(each["start"]), _milliseconds(each["end"])) for each in found)

    def _probabilities(self, stream: Stream) -> list[float]:
        """Probability of speech in each frame; the last frame is padded with zeros."""
        import torch

        self._model.reset_states()
        with torch.no_grad():
            return [float(self._model(torch.from_numpy(frame), RATE).item()) for frame in _frames(stream)]


def split_speech(spans: Sequence[Span], shortest_s: float, longest_s: float) -> Iterator[Span]:
    """Segments of at most ``longest_s``: longer ones in equal parts, those below ``shortest_s`` left out."""
    most = max(longest_s - _MARGIN_S, longest_s / 2)
    for start, end in spans:
        count = math.ceil((end - start) / most)
        edges = [round(start + (end - start) * n / count, 3) for n in range(count + 1)]
        yield from (part for part in pairwise(edges) if part[1] - part[0] > shortest_s)


def _milliseconds(sample: int) -> float:
    return math.floor(1000 * sample / RATE) / 1000


def _frames(stream: Stream) -> Iterator[npt.NDArray[np.float32]]:
    """The sound at 16 kHz in frames (512,) float32, the last one padded with zeros."""
    held = np.zeros(0, dtype=np.float32)
    for block in _resampled(stream):
        held = np.concatenate((held, block))
        whole = len(held) - len(held) % _FRAME
        yield from held[:whole].reshape(-1, _FRAME)
        held = held[whole:]
    if len(held):
        yield np.pad(held, (0, _FRAME - len(held)))


def _resampled(stream: Stream) -> Iterator[npt.NDArray[np.float32]]:
    if stream.rate == RATE:
        yield from stream.blocks()
        return
    resampler = soxr.ResampleStream(stream.rate, RATE, 1, dtype="float32", quality="HQ")
    for block in stream.blocks():
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
