"""Choice of the decoder that reads recordings."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from schemas.errors import UsageError

Decoder = Literal["soundfile", "dali"]


def require_decoder(name: str) -> None:
    """Raise :class:`UsageError` for an unknown name, or if DALI is requested but not installed."""
    if name not in {"auto", "soundfile", "dali"}:
        raise UsageError(f"unknown decoder '{name}'; choose auto, soundfile or dali")
    if name == "dali":
        from pipelines.dali import require_dali

        require_dali()


def choose_decoder(name: str, device: str) -> Decoder:
    """Decoder by name, for features that are computed on ``device``, ``cpu`` or ``cuda``.

    ``auto`` is DALI on a GPU if it is installed, otherwise soundfile: on two cores, DALI reads WAV as fast
    with one thread, and slower with two, as its threads compete with those that hash and resample
    (docs/benchmarks.md). Both give the same samples, so that the choice never changes a store. Raises what
    :func:`require_decoder` raises.
    """
    require_decoder(name)
    if name == "auto":
        return "dali" if device == "cuda" and _has_dali() else "soundfile"
    return "dali" if name == "dali" else "soundfile"


def _has_dali() -> bool:
    return find_spec("nvidia") is not None and find_spec("nvidia.dali") is not None
