"""Judges a difference between the length that a header announces and the one that a file holds."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.recording.extent import Extent

SMALL_S = 0.01
"""A recording that lacks at most this many seconds at its end is read, with a note."""

_SMALL_BYTES, _SMALL_BYTES_S = 256, 0.05
"""The size of a header, which programs count by mistake, unless it is longer than this many seconds."""


@dataclass(frozen=True)
class Lengths:
    """Why the recording is truncated, or a note on its lengths; "" if there is none."""

    problem: str = ""
    note: str = ""


def compare_lengths(extent: Extent, seconds: float | None) -> Lengths:
    """Compare announced and held bytes. ``seconds`` : duration of what is held, None if unknown."""
    if extent.lost:
        return Lengths(problem=f"truncated: {extent.lost}")
    if extent.announced is None or extent.announced == extent.held:
        return Lengths(note=extent.note)
    both = f"the header announces {extent.announced} bytes of samples, the file holds {extent.held}"
    missing = extent.announced - extent.held
    if missing < 0 or (extent.is_ended and extent.held) or _is_small(missing, extent.held, seconds):
        return Lengths(note=both)
    return Lengths(problem=f"truncated: {both}")


def _is_small(missing: int, held: int, seconds: float | None) -> bool:
    if not held or seconds is None:
        return False
    missing_s = missing * seconds / held
    return missing_s <= SMALL_S or (missing <= _SMALL_BYTES and missing_s <= _SMALL_BYTES_S)
