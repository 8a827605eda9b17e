"""Apple's Core Audio Format."""

from __future__ import annotations

from pipelines.recording.chunks import size_patch
from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource

_HEADER = 12
_EDIT_COUNT = 4
_MOST_CHUNKS = 10_000
_CODECS = {
    b"aac ": "AAC",
    b".mp3": "MP3",
    b"ima4": "IMA ADPCM",
    b"opus": "Opus",
    b"flac": "FLAC",
    b"ilbc": "iLBC",
}
_READ = frozenset({b"lpcm", b"alac", b"ulaw", b"alaw"})


def measure_caf(source: ByteSource) -> Extent | None:
    """What the chunk ``data`` holds, whose size may be -1, up to the end; None if there is none."""
    codec = ""
    at = 8
    for _ in range(_MOST_CHUNKS):
        header = source.read(at, _HEADER)
        if len(header) < _HEADER:
            return None
        name, size = header[:4], int.from_bytes(header[4:], "big", signed=True)
        at += _HEADER
        if name == b"desc":
            kind = source.read(at + 8, 4)
            codec = (
                "" if kind in _READ else _CODECS.get(kind, f"the codec {kind.decode('latin-1').strip()!a}")
            )
        if name == b"data":
            held = source.size - at
            if (
                _EDIT_COUNT < size <= held
                or size == held
                or (size == _EDIT_COUNT and _is_chunk(source, at + size))
            ):
                return Extent(size - _EDIT_COUNT, size - _EDIT_COUNT, codec=codec)
            announced = None if size < 0 else max(0, size - _EDIT_COUNT)
            return Extent(
                announced, max(0, held - _EDIT_COUNT), size_patch(at - 8, held, "big", 8), codec=codec
            )
        if size < 0:
            return None
        at += size
    return None


def _is_chunk(source: ByteSource, at: int) -> bool:
    """Whether a chunk begins at ``at`` that does not exceed the source."""
    header = source.read(at, _HEADER)
    size = int.from_bytes(header[4:], "big", signed=True)
    return len(header) == _HEADER and header[:4].isascii() and 0 <= size <= source.size - at - _HEADER
