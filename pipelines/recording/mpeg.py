"""MP3: many files tell their size in a first frame named Xing or Info."""

from __future__ import annotations

from pipelines.recording.chunks import size_patch
from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource
from pipelines.recording.tags import start_of_trailing_tags

_HAS_FRAMES, _HAS_BYTES = 1, 2
_TOLERANCE = 0.01
"""A size that is wrong by at most this share is not worth a note; libmpg123 prints a line for more."""


def measure_mpeg(source: ByteSource) -> Extent:
    """What a Xing or Info frame announces, if there is one; samples are then read as far as possible."""
    head = source.read(0, 64)
    is_mpeg1, is_mono = head[1] & 0x08, head[3] & 0xC0 == 0xC0
    at = 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))
    if head[at : at + 4] not in {b"Xing", b"Info"}:
        return Extent()
    flags = int.from_bytes(head[at + 4 : at + 8], "big")
    if not flags & _HAS_BYTES:
        return Extent()
    place = at + 8 + (4 if flags & _HAS_FRAMES else 0)
    announced, held = int.from_bytes(head[place : place + 4], "big"), start_of_trailing_tags(source)
    patches = size_patch(place, held, "big") if abs(announced - held) > _TOLERANCE / 2 * held else ()
    note = ""
    if announced - held > _TOLERANCE * announced:
        note = (
            f"truncated: the header announces {announced} bytes, the file has {held}; read as far as possible"
        )
    return Extent(patches=patches, note=note)
