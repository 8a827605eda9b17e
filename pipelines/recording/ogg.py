"""Ogg pages: the last one of a stream is marked, and each says how long it is."""

from __future__ import annotations

from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource

_MARK = b"OggS"
_HEADER = 27
_LONGEST_PAGE = _HEADER + 255 + 255 * 255
_LAST_PAGE = 4


def measure_ogg(source: ByteSource) -> Extent:
    """Whether the last page is whole, and marked as the last of its stream.

    A recording ends within a page if it was cut anywhere, and with a page that is not marked if it was cut
    between two, or if its writer was stopped.
    """
    low = max(0, source.size - _LONGEST_PAGE)
    tail = source.read(low, _LONGEST_PAGE)
    at = len(tail)
    while (at := tail.rfind(_MARK, 0, at)) >= 0:
        head = tail[at : at + _HEADER]
        if len(head) > 4 and head[4]:
            continue  # not a page: version 0 is the only one
        if len(head) < _HEADER:
            return Extent(lost=f"the last page has {len(head)} bytes")
        sizes = tail[at + _HEADER : at + _HEADER + head[26]]
        announced, held = _HEADER + head[26] + sum(sizes), len(tail) - at
        if len(sizes) < head[26] or announced > held:
            return Extent(lost=f"the last page announces {announced} bytes, the file holds {held} of them")
        if not head[5] & _LAST_PAGE:
            return Extent(note="ends without a last page; it may be truncated")
        return Extent()
    return Extent(lost=f"no page begins in the last {len(tail)} bytes")
