"""Chunks of the RIFF and IFF families: a name of four characters, a size in four bytes, the content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipelines.recording.extent import STREAMED_SIZE, Extent
from pipelines.recording.source import ByteSource, Patch
from pipelines.recording.tags import start_of_trailing_tags

Order = Literal["little", "big"]

HEADER = 8
_MOST_CHUNKS = 10_000
_TAIL = 2**20
"""Chunks behind the samples are looked for in this many bytes at the end."""

_BEHIND = (
    b"LIST",
    b"id3 ",
    b"ID3 ",
    b"bext",
    b"iXML",
    b"axml",
    b"cue ",
    b"smpl",
    b"inst",
    b"fact",
    b"PEAK",
    b"JUNK",
    b"junk",
    b"FLLR",
    b"PAD ",
    b"_PMX",
    b"afsp",
    b"acid",
    b"plst",
    b"levl",
    b"cart",
    b"LGWV",
    b"DISP",
    b"INST",
    b"MARK",
    b"COMT",
    b"NAME",
    b"AUTH",
    b"ANNO",
    b"(c) ",
    b"APPL",
    b"MIDI",
    b"AESD",
    b"CHAN",
    b"SAUR",
    b"COMM",
)
"""Chunks that programs write behind the samples."""


@dataclass(frozen=True)
class ContainerChunk:
    """A chunk: its identifier, the offset of its content, and the size of the content as announced."""

    name: bytes
    at: int
    size: int


def read_chunks(source: ByteSource, at: int, order: Order) -> Iterator[ContainerChunk]:
    """The chunks from offset ``at`` on; the last one may exceed the source."""
    for _ in range(_MOST_CHUNKS):
        header = source.read(at, HEADER)
        if len(header) < HEADER:
            return
        size = int.from_bytes(header[4:], order)
        yield ContainerChunk(header[:4], at + HEADER, size)
        at += HEADER + size + size % 2


def measure_samples(
    source: ByteSource, at: int, announced: int, order: Order, *, block: int | None, whole_until: int
) -> Extent:
    """How many bytes of samples there are from offset ``at`` on, and what the header says.

    ``announced`` : bytes of samples by their chunk's own size.
    ``block`` : bytes of one sample of all channels, None for codecs that work in longer blocks.
    ``whole_until`` : where the container ends according to its header.
    """
    end, size = at + announced, source.size
    if end > size or (announced == 0 and not _is_chain(source, at, order)):
        return _measure_to_the_end(source, at, announced, order, block)
    rest = -announced % block if block else 0
    if rest and (end + rest == size or (end + rest < size and _is_chain(source, end + rest, order))):
        return Extent(announced, announced + rest)  # announced without the last bytes of a sample
    if _is_chain(source, end + announced % 2, order) or _is_chain(source, end, order):
        return Extent(announced, announced)
    behind = _start_of_chunks(source, at, order)
    if behind < end:
        return Extent(announced, behind - at, is_ended=True)
    if min(whole_until, size) > end + 1 and not _is_name(source.read(end, 4)):
        return Extent(announced, min(behind, whole_until, size) - at)
    return Extent(announced, announced)


def _measure_to_the_end(
    source: ByteSource, at: int, announced: int, order: Order, block: int | None
) -> Extent:
    """All bytes from ``at`` on are samples, except chunks and tags at the end."""
    end = _start_of_chunks(source, at, order)
    is_ended = end < source.size
    if block == 1 and is_ended and end % 2 == 0 and end > at and source.read(end - 1, 1) == b"\0":
        end -= 1  # 0 is the byte that pads a chunk, and would be heard as a click
    is_streamed = STREAMED_SIZE <= announced <= 0xFFFFFFFF
    return Extent(None if is_streamed else announced, end - at, is_ended=is_ended)


def size_patch(at: int, value: int, order: Order, width: int = 4) -> tuple[Patch, ...]:
    """The patch that sets an unsigned header field; none if the value does not fit."""
    return ((at, value.to_bytes(width, order)),) if 0 <= value < 256**width else ()


def _start_of_chunks(source: ByteSource, first: int, order: Order) -> int:
    """Offset of the chunks and tags at the end, found from the end; the source's size if there are none."""
    end = start_of_trailing_tags(source)
    low = max(first, end - _TAIL)
    tail = source.read(low, end - low)
    places = sorted(low + place for name in _BEHIND for place in _places(tail, name))
    return next((place for place in places if _is_chain(source, place, order, end)), end)


def _places(tail: bytes, name: bytes) -> Iterator[int]:
    place = tail.find(name)
    while place >= 0:
        yield place
        place = tail.find(name, place + 1)


def _is_chain(source: ByteSource, at: int, order: Order, end: int | None = None) -> bool:
    """Whether from ``at`` on there is nothing, or chunks that end where the source ends."""
    end = start_of_trailing_tags(source) if end is None and at < source.size else end or source.size
    if at >= end:
        return at <= end + 1  # a missing pad byte
    for chunk in read_chunks(source, at, order):
        if not _is_name(chunk.name):
            return False
        behind = chunk.at + chunk.size
        if behind in (end, end - 1) or behind + behind % 2 == end:
            return True
        if behind > end:
            return False
    return False


def _is_name(name: bytes) -> bool:
    """Whether four bytes can be the identifier of a chunk."""
    return len(name) == 4 and name.isascii() and name.decode("latin-1").isprintable() and name.strip() != b""
