"""Which decoder reads recordings."""

from __future__ import annotations

from typing import Literal

from schemas.errors import UsageError

Decoder = Literal["soundfile", "dali"]


def choose_decoder(name: str) -> Decoder:
    """``soundfile``, ``dali`` or ``auto``.

    ``auto`` is soundfile: on two cores DALI reads WAV as fast with one thread and slower with two, where its
    threads compete with those that hash and resample (docs/benchmarks.md). A fixed rule, because the two
    differ in the last bit of a sample and the same command must build the same store. Raises
    :class:`UsageError` for another name, and where DALI is asked for and not installed.
    """
    match name:
        case "auto" | "soundfile":
            return "soundfile"
        case "dali":
            from pipelines.dali import require_dali

            require_dali()
            return "dali"
    raise UsageError(f"unknown decoder '{name}'; choose auto, soundfile or dali")
