"""NIST SPHERE and Creative Voice, the containers of older speech corpora."""

from __future__ import annotations

import re

from pipelines.recording.chunks import size_patch
from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource

_SPHERE_HEADER = 1024
_READ = frozenset({"pcm", "ulaw", "mu-law", "alaw"})

_TERMINATOR, _SOUND, _CONTINUED, _EXTENDED = 0, 1, 2, 9
_BLOCK_HEADER = 4
_PARAMETERS = {_SOUND: 2, _CONTINUED: 0, _EXTENDED: 12}
_MOST_BLOCKS = 10_000


def measure_sphere(source: ByteSource) -> Extent | None:
    """NIST SPHERE: lines of text such as ``sample_count -i 52321``; None without a count."""
    text = source.read(0, _SPHERE_HEADER).partition(b"end_head")[0].decode("latin-1")
    fields = dict(re.findall(r"^(\w+)\s+-\w+\s+(.*?)\s*$", text, re.MULTILINE))
    length = text[8:16].strip()
    coding = fields.get("sample_coding", "pcm")
    codec = "" if coding in _READ else _name_of(coding)
    count, channels, width = (
        _number(fields.get(name)) for name in ("sample_count", "channel_count", "sample_n_bytes")
    )
    if codec or count is None or not length.isdigit():
        return Extent(codec=codec)
    announced = count * (1 if channels is None else channels) * (1 if width is None else width)
    held = max(0, source.size - int(length))
    return Extent(announced, min(announced, held) if announced else held)


def measure_voc(source: ByteSource) -> Extent | None:
    """Creative Voice: blocks with a size of three bytes; None if the first ones hold no samples."""
    at = int.from_bytes(source.read(20, 2), "little")
    for _ in range(_MOST_BLOCKS):
        head = source.read(at, _BLOCK_HEADER + 12)
        if not head or head[0] == _TERMINATOR:
            return None
        size = int.from_bytes(head[1:4], "little")
        first = at + _BLOCK_HEADER
        if head[0] in _PARAMETERS:
            taken = _PARAMETERS[head[0]]
            announced, held = size - taken, max(0, source.size - first - taken)
            if announced > held:
                return Extent(announced, held, size_patch(at + 1, held + taken, "little", 3))
            if head[0] != _EXTENDED:
                return Extent(announced, announced)
            block = max(1, head[8] // 8) * max(1, head[9])
            is_ended = announced < held or source.read(source.size - 1, 1) != bytes([_TERMINATOR])
            # libsndfile counts the terminator in the size of the block before it, and takes it for a sample.
            return Extent(announced, announced, frames=(announced if is_ended else announced - 1) // block)
        at = first + size
    return None


def _name_of(coding: str) -> str:
    return "Shorten" if "shorten" in coding else f"the coding {coding!a}"


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
