"""AIFF and AIFF-C, and the IFF samples of the Amiga, 8SVX and 16SV."""

from __future__ import annotations

from dataclasses import replace

from pipelines.recording.chunks import measure_samples, read_chunks, size_patch
from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource

_BYTES_BY_TYPE = {b"alaw": 1, b"ALAW": 1, b"ulaw": 1, b"ULAW": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8}
_LINEAR = frozenset({b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"42ni", b"23ni"})
_CODECS = {
    b"MAC3": "MACE 3:1",
    b"MAC6": "MACE 6:1",
    b"QDMC": "QDesign Music",
    b"QDM2": "QDesign Music",
    b"Qclp": "Qualcomm PureVoice",
}
_DECODED = frozenset({b"ima4", b"GSM ", b"agsm", b"DWVW"})


def measure_aiff(source: ByteSource) -> Extent | None:
    """What the chunk ``SSND`` of an AIFF file holds; None if there is none."""
    head = source.read(0, 12)
    whole_until = 8 + int.from_bytes(head[4:8], "big")
    counted: int | None = None  # offset of the number of samples
    block: int | None = None
    codec = ""
    for chunk in read_chunks(source, 12, "big"):
        if chunk.name == b"COMM":
            counted = chunk.at + 2
            block, codec = _read_common(source.read(chunk.at, 22), is_compressed=head[8:] == b"AIFC")
        if chunk.name != b"SSND":
            continue
        offset = int.from_bytes(source.read(chunk.at, 4), "big")
        at = chunk.at + 8 + offset
        announced = chunk.size if chunk.size == 0 else max(0, chunk.size - 8 - offset)
        extent = measure_samples(source, at, announced, "big", block=block, whole_until=whole_until)
        if extent.held != announced:
            patches = size_patch(chunk.at - 4, extent.held + 8 + offset, "big")
            if block and counted is not None:
                patches += size_patch(counted, extent.held // block, "big")
            extent = replace(extent, patches=patches)
        if not block or counted is None:
            return replace(extent, codec=codec)
        frames = extent.held // block
        count = int.from_bytes(source.read(counted, 4), "big")
        is_padded = count * block == extent.held - 1  # libsndfile counts the byte that pads the chunk
        return replace(extent, codec=codec, frames=count if is_padded else frames)
    return None


def measure_svx(source: ByteSource) -> Extent | None:
    """What the chunk ``BODY`` of an 8SVX or 16SV file holds; None if there is none."""
    head = source.read(0, 12)
    block = 2 if head[8:] == b"16SV" else 1
    for chunk in read_chunks(source, 12, "big"):
        if chunk.name == b"BODY":
            whole_until = 8 + int.from_bytes(head[4:8], "big")
            extent = measure_samples(
                source, chunk.at, chunk.size, "big", block=block, whole_until=whole_until
            )
            if extent.held == chunk.size:
                return extent
            return replace(extent, patches=size_patch(chunk.at - 4, extent.held, "big"))
    return None


def _read_common(content: bytes, *, is_compressed: bool) -> tuple[int | None, str]:
    """Bytes of one sample of all channels, None for a codec with blocks; a codec not decoded, or ""."""
    channels, bits = int.from_bytes(content[:2], "big"), int.from_bytes(content[6:8], "big")
    kind = content[18:22] if is_compressed else b"NONE"
    if kind in _LINEAR:
        return channels * -(-bits // 8) or None, ""
    if kind in _BYTES_BY_TYPE:
        return channels * _BYTES_BY_TYPE[kind] or None, ""
    if kind in _DECODED:
        return None, ""
    return None, _CODECS.get(kind, f"the codec {kind.decode('latin-1').strip()!a}")
