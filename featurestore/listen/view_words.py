"""The parameter of a view of a clip, as text."""

from __future__ import annotations

import math


def parameter_text(kind: str, value: float | None, sample_rate: int) -> str:
    """The value of a view with its unit, such as ``SNR 17.3 dB``; "" if it has none.

    ``value`` is in dB, semitones, samples at ``sample_rate``, or a factor, depending on the kind of view.
    """
    if value is None or math.isnan(value):
        return ""
    match kind:
        case "noise":
            return f"SNR {value:.1f} dB"
        case "pitch":
            return f"{value:+.2f} semitones"
        case "shift":
            return f"{value / sample_rate:+.3f} s ({value:+.0f} samples)"
        case "speed" | "stretch":
            return f"× {value:.3f}"
    return ""
