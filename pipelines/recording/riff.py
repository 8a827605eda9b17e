"""WAV and its relatives: RIFF, its big-endian form RIFX, and RF64 and BW64, which have sizes of 64 bits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.recording.chunks import ContainerChunk, Order, measure_samples, read_chunks, size_patch
from pipelines.recording.extent import Extent
from pipelines.recording.source import ByteSource

_IN_DS64 = 0xFFFFFFFF
"""The size of a chunk whose actual size is in the chunk ``ds64``."""

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE

_CODECS = {
    0x0022: "TrueSpeech",
    0x0042: "G.723.1",
    0x0045: "G.726",
    0x0050: "MPEG layer 1 or 2",
    0x0064: "G.726",
    0x0083: "G.729",
    0x00FF: "AAC",
    0x0161: "WMA",
    0x0162: "WMA",
    0x0163: "WMA",
    0x0270: "ATRAC3",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x674F: "Vorbis",
    0x704F: "Opus",
    0xA109: "Speex",
    0xF1AC: "FLAC",
}
"""Codecs by the tag of their chunk ``fmt ``; libsndfile decodes none of them."""

_DECODED = frozenset({0x0002, 0x0011, 0x0031, 0x0038, 0x0040, 0x0055})
"""MS and IMA ADPCM, GSM 6.10, NMS ADPCM, G.721, MP3."""


@dataclass(frozen=True)
class WaveFormat:
    """The chunk ``fmt ``: ``block`` bytes per sample of all channels, None if a codec needs longer blocks.

    ``codec`` : the name of a codec that is not decoded, or "".
    """

    block: int | None = None
    codec: str = ""


def measure_riff(source: ByteSource) -> Extent | None:
    """What the chunk ``data`` of a WAV file holds; None if there is none."""
    head = source.read(0, 8)
    order: Order = "big" if head[:4] == b"RIFX" else "little"
    whole_until = 8 + int.from_bytes(head[4:], order)
    sizes: ContainerChunk | None = None
    form = WaveFormat()
    for chunk in read_chunks(source, 12, order):
        match chunk.name:
            case b"ds64" if head[:4] in {b"RF64", b"BW64"}:
                sizes = chunk
            case b"fmt ":
                form = read_format(source.read(chunk.at, 40), order)
            case b"data" if sizes is not None:
                return _measure_64(source, chunk, sizes, form)
            case b"data":
                extent = measure_samples(
                    source, chunk.at, chunk.size, order, block=form.block, whole_until=whole_until
                )
                is_right = extent.held == chunk.size
                patches = () if is_right else size_patch(chunk.at - 4, extent.held, order)
                return replace(extent, patches=patches, codec=form.codec)
    return None


def _measure_64(source: ByteSource, data: ContainerChunk, sizes: ContainerChunk, form: WaveFormat) -> Extent:
    """The chunk ``data`` of RF64, whose size is in the chunk ``ds64``, behind that of the file."""
    fields = source.read(sizes.at, 24)
    whole, announced = int.from_bytes(fields[:8], "little"), int.from_bytes(fields[8:16], "little")
    if data.size != _IN_DS64:
        announced = data.size
    if announced >= 2**63:  # written to a pipe
        announced = _IN_DS64
    extent = measure_samples(
        source, data.at, announced, "little", block=form.block, whole_until=8 + min(whole, 2**62)
    )
    if extent.held == announced:
        return replace(extent, codec=form.codec)
    patches = size_patch(sizes.at + 8, extent.held, "little", 8)
    if form.block:
        patches += size_patch(sizes.at + 16, extent.held // form.block, "little", 8)
    if data.size != _IN_DS64:
        patches += size_patch(data.at - 4, extent.held, "little")
    return replace(extent, patches=patches, codec=form.codec)


def read_format(content: bytes, order: Order) -> WaveFormat:
    """Read the content of a chunk ``fmt ``."""
    tag = int.from_bytes(content[:2], order)
    if tag == _EXTENSIBLE and len(content) >= 26:
        tag = int.from_bytes(content[24:26], order)
    if tag not in {_PCM, _FLOAT, _ALAW, _ULAW}:
        return WaveFormat(codec="" if tag in _DECODED else _CODECS.get(tag, f"the codec 0x{tag:04X}"))
    block = int.from_bytes(content[12:14], order)
    return WaveFormat(block or None)
