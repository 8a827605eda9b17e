"""Tags that players add before and behind a recording: ID3, APE."""

from __future__ import annotations

from pipelines.recording.source import ByteSource

_MOST_TAGS = 16
_MOST_PADDING = 4096
_ID3_HEADER = 10
_ID3_FOOTER_FLAG = 0x10
_ID3V1_BYTES = 128
_APE_FOOTER = 32
_APE_HAS_HEADER = 0x80000000


def ends_of_leading_tags(source: ByteSource) -> tuple[int, int]:
    """Offsets of the first byte behind the ID3v2 tags at the start, and behind the zeros that pad them."""
    at = 0
    for _ in range(_MOST_TAGS):
        length = _id3_length(source.read(at, _ID3_HEADER))
        if length is None or at + length > source.size:
            break
        at += length
    padding = source.read(at, _MOST_PADDING) if at else b""
    return at, at + len(padding) - len(padding.lstrip(b"\0"))


def start_of_trailing_tags(source: ByteSource) -> int:
    """Offset of the first of the tags at the end (ID3v1, APE); the size of the source if there are none."""
    end = source.size
    for _ in range(_MOST_TAGS):
        if source.read(max(0, end - _ID3V1_BYTES), 3) == b"TAG":
            end -= _ID3V1_BYTES
            continue
        footer = source.read(max(0, end - _APE_FOOTER), _APE_FOOTER)
        if footer[:8] != b"APETAGEX":
            break
        flags = int.from_bytes(footer[20:24], "little")
        length = int.from_bytes(footer[12:16], "little") + (_APE_FOOTER if flags & _APE_HAS_HEADER else 0)
        if not _APE_FOOTER <= length <= end:
            break
        end -= length
    return end


def _id3_length(header: bytes) -> int | None:
    """Bytes of the ID3v2 tag that begins with ``header``; its size has 7 bits per byte."""
    if len(header) < _ID3_HEADER or header[:3] != b"ID3" or header[3] == 0xFF or header[4] == 0xFF:
        return None
    if any(byte & 0x80 for byte in header[6:]):
        return None
    size = 0
    for byte in header[6:]:
        size = size << 7 | byte
    return _ID3_HEADER + size + (_ID3_HEADER if header[5] & _ID3_FOOTER_FLAG else 0)
