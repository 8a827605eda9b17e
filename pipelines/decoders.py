"""Which decoder reads recordings."""

from __future__ import annotations

from typing import Literal

from pipelines.dali import require_dali
from schemas.errors import UsageError

Decoder = Literal["soundfile", "dali"]


def choose_decoder(name: str) -> Decoder:
    """``soundfile``, ``dali`` or ``auto``.

    ``auto`` is soundfile: measured on two cores, DALI decodes WAV 1.0 to 1.3 times as fast, which is no more
    than its start-up and a few hundredths of a build (docs/benchmarks.md). A fixed rule, because the two
    differ in the last bit of a sample and the same command must build the same store. Raises
    :class:`UsageError` for another name, and where DALI is asked for and not installed.
    """
    match name:
        case "auto" | "soundfile":
            return "soundfile"
        case "dali":
            require_dali()
            return "dali"
    raise UsageError(f"unknown decoder '{name}'; choose auto, soundfile or dali")
