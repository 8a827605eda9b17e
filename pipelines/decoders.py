"""Choice of the decoder that reads recordings."""

from __future__ import annotations

from typing import Literal

from schemas.errors import UsageError

Decoder = Literal["soundfile", "dali"]


def choose_decoder(name: str) -> Decoder:
    """Decoder by name: ``soundfile``, ``dali`` or ``auto``.

    ``auto`` is soundfile: on two cores, DALI reads WAV as fast with one thread, and slower with two, as its
    threads compete with those that hash and resample (docs/benchmarks.md). The rule is fixed because the
    decoders differ in the last bit of a sample, and the same command must build the same store. Raises
    :class:`UsageError` for an unknown name, or if DALI is requested but not installed.
    """
    match name:
        case "auto" | "soundfile":
            return "soundfile"
        case "dali":
            from pipelines.dali import require_dali

            require_dali()
            return "dali"
    raise UsageError(f"unknown decoder '{name}'; choose auto, soundfile or dali")
