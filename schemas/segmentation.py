"""How long recordings are cut into clips: windows of equal length, or segments of speech."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import UsageError

SPEECH = "silero"
"""Text of :class:`SpeechSegments`, after the voice activity detector."""

NO_SPEECH = "no speech found by Silero VAD"
"""What is said of a recording without segments of speech."""

SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 0.01, 3600.0

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True)
class Windows:
    """Windows of ``window_s`` seconds, one every ``step_s``; the last ends with the recording."""

    window_s: float
    step_s: float

    def __str__(self) -> str:
        return f"{self.window_s:.10g},{self.step_s:.10g}"


@dataclass(frozen=True)
class SpeechSegments:
    """The segments in which the detector Silero VAD hears speech."""

    def __str__(self) -> str:
        return SPEECH


Segmentation = Windows | SpeechSegments


def parse_segmentation(text: str) -> Segmentation:
    """``silero``, ``WINDOW`` or ``WINDOW,STEP`` in seconds; STEP defaults to WINDOW.

    ``str`` of the result is parsed to an equal one. Raises :class:`UsageError` for anything else.
    """
    if text.strip().lower() == SPEECH:
        return SpeechSegments()
    window, comma, step = text.partition(",")
    window_s = _seconds(window, text)
    return Windows(window_s, _seconds(step, text) if comma else window_s)


def _seconds(word: str, text: str) -> float:
    if not _SECONDS.fullmatch(word.strip()):
        raise UsageError(
            f"--segment {text} is neither {SPEECH} nor seconds; give {SPEECH}, or WINDOW,STEP, such as 3,1.5"
        )
    seconds = float(word)
    if not SHORTEST_WINDOW_S <= seconds <= LONGEST_WINDOW_S:
        raise UsageError(
            f"--segment {text}: {seconds:g} s is out of range; give {SHORTEST_WINDOW_S:g} to "
            f"{LONGEST_WINDOW_S:,.0f} s"
        )
    return seconds
