"""Sony Wave64: like WAV, but chunks have names of 16 bytes, and sizes of 64 bits that count the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipelines.recording.chunks import ContainerChunk, size_patch
from pipelines.recording.extent import Extent
from pipelines.recording.riff import WaveFormat, read_format
from pipelines.recording.source import ByteSource

_HEADER = 24
_GUID_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""The last 12 of the 16 bytes; the first 4 are the name of the WAV chunk."""

_LIST_GUID = b"list" + bytes.fromhex("2f91cf11a5d628db04c10000")
_MOST_CHUNKS = 10_000
_TAIL = 2**20
_STREAMED_SIZE = 2**47


def measure_wave64(source: ByteSource) -> Extent | None:
    """What the chunk ``data`` of a W64 file holds; None if there is none."""
    form = WaveFormat()
    for chunk in _read_chunks(source, 40):
        if chunk.name == b"fmt ":
            form = read_format(source.read(chunk.at, 40), "little")
        if chunk.name != b"data":
            continue
        end = chunk.at + chunk.size
        is_streamed = chunk.size >= _STREAMED_SIZE
        is_unset = chunk.size <= 0 and source.size > chunk.at and not _is_chain(source, chunk.at)
        if end <= source.size and not is_unset:
            return _limit(Extent(chunk.size, max(0, chunk.size)), form)
        behind = _start_of_chunks(source, chunk.at)
        held = behind - chunk.at
        extent = Extent(
            None if is_streamed else max(0, chunk.size),
            held,
            size_patch(chunk.at - 8, held + _HEADER, "little", 8),
            is_ended=behind < source.size,
        )
        return _limit(extent, form)
    return None


def _limit(extent: Extent, form: WaveFormat) -> Extent:
    """Limit the samples: libsndfile takes chunks behind them for samples, too."""
    return replace(extent, frames=extent.held // form.block if form.block else None, codec=form.codec)


def _read_chunks(source: ByteSource, at: int) -> Iterator[ContainerChunk]:
    """Chunks from ``at`` on, each padded to a multiple of 8 bytes; a size below 0 is one without header."""
    for _ in range(_MOST_CHUNKS):
        header = source.read(at, _HEADER)
        if len(header) < _HEADER:
            return
        size = int.from_bytes(header[16:], "little")
        yield ContainerChunk(header[:4], at + _HEADER, size - _HEADER)
        if size < _HEADER:
            return
        at += size + -size % 8


def _start_of_chunks(source: ByteSource, first: int) -> int:
    low = max(first, source.size - _TAIL)
    tail = source.read(low, source.size - low)
    places = []
    for name, before in ((_GUID_END, 4), (_LIST_GUID, 0)):
        place = tail.find(name)
        while place >= 0:
            places.append(low + place - before)
            place = tail.find(name, place + 1)
    return next((at for at in sorted(places) if at >= first and _is_chain(source, at)), source.size)


def _is_chain(source: ByteSource, at: int) -> bool:
    """Whether there are chunks from ``at`` on that end where the source ends."""
    for chunk in _read_chunks(source, at):
        behind = chunk.at + chunk.size
        if chunk.size < 0 or behind > source.size:
            return False
        if behind == source.size or behind + -(behind - at) % 8 >= source.size:
            return True
    return False
