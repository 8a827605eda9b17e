"""Containers with a header of fixed fields, one of which counts bytes or samples."""

from __future__ import annotations

from pipelines.recording.chunks import Order, size_patch
from pipelines.recording.extent import STREAMED_SIZE, Extent
from pipelines.recording.source import ByteSource

_AU_CODECS = {23: "G.721", 24: "G.722", 25: "G.723", 26: "G.723"}
_AU_READ = frozenset({1, 2, 3, 4, 5, 6, 7, 23, 25, 26, 27})

_SDS_HEADER, _SDS_PACKET, _SDS_CONTENT = 21, 127, 120


def measure_au(source: ByteSource) -> Extent:
    """Sun AU, of either byte order."""
    head = source.read(0, 24)
    order: Order = "big" if head[:4] == b".snd" else "little"
    at, announced, encoding = (int.from_bytes(head[place : place + 4], order) for place in (4, 8, 12))
    codec = "" if encoding in _AU_READ else _AU_CODECS.get(encoding, f"the encoding {encoding}")
    held = max(0, source.size - at)
    if 0 < announced <= held:
        return Extent(announced, announced, codec=codec)
    is_streamed = announced >= STREAMED_SIZE
    return Extent(None if is_streamed else announced, held, size_patch(8, held, order), codec=codec)


def measure_avr(source: ByteSource) -> Extent:
    """Audio Visual Research, of the Atari ST."""
    head = source.read(0, 128)
    block = (1 if head[12:14] == b"\0\0" else 2) * (2 if int.from_bytes(head[14:16], "big") > 8 else 1)
    return _of_count(source, 128, block * int.from_bytes(head[26:30], "big"))


def measure_htk(source: ByteSource) -> Extent | None:
    """A waveform of HTK; None if its fields are no possible ones, as it has no other mark."""
    head = source.read(0, 12)
    count, period = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    if not count or not 25 <= period <= 10_000:  # 1 kHz to 400 kHz, in units of 100 ns
        return None
    return _of_count(source, 12, 2 * count, size_patch(0, (source.size - 12) // 2, "big"))


def measure_mpc(source: ByteSource) -> Extent:
    """Akai MPC 2000."""
    head = source.read(0, 42)
    return _of_count(source, 42, (4 if head[21] else 2) * int.from_bytes(head[30:34], "little"))


def measure_wve(source: ByteSource) -> Extent:
    """Psion's A-law."""
    return _of_count(source, 32, int.from_bytes(source.read(18, 4), "big"))


def measure_xi(source: ByteSource) -> Extent:
    """FastTracker's instruments; libsndfile announces 0 bytes in each that it writes."""
    announced = int.from_bytes(source.read(298, 4), "little")
    return _of_count(source, 338, announced) if announced else Extent()


def measure_sds(source: ByteSource) -> Extent:
    """MIDI Sample Dump: packets with 120 bytes, of which only seven bits are used."""
    head = source.read(0, _SDS_HEADER)
    samples = sum((head[10 + place] & 0x7F) << 7 * place for place in range(3))
    per_packet = _SDS_CONTENT // max(1, (head[6] + 6) // 7)
    return _of_count(source, _SDS_HEADER, -(-samples // per_packet) * _SDS_PACKET)


def measure_ircam(source: ByteSource) -> Extent:
    """IRCAM: the header does not tell the length, so only a part of a sample at the end shows a cut."""
    order: Order = "little" if source.read(0, 4)[:2] in {b"\x64\xa3", b"\x00\x00"} else "big"
    channels, coding = (int.from_bytes(source.read(place, 4), order) for place in (8, 12))
    width = {2: 2, 4: 4, 3: 3, 0x40004: 4, 1: 1, 0x10001: 1, 0x20001: 1, 8: 8}.get(coding, 1)
    return _of_samples(source, 1024, channels * width)


def measure_paf(source: ByteSource) -> Extent:
    """Ensoniq PARIS: the header does not tell the length either."""
    order: Order = "big" if source.read(0, 4) == b" paf" else "little"
    kind, channels = (int.from_bytes(source.read(place, 4), order) for place in (16, 20))
    return _of_samples(source, 2048, channels * {0: 2, 1: 32, 2: 1}.get(kind, 1))


def measure_pvf(source: ByteSource) -> Extent:
    """Portable Voice Format: a line of text, which does not tell the length."""
    first, _, rest = source.read(0, 64).partition(b"\n")
    fields, newline, _ = rest.partition(b"\n")
    numbers = [int(field) for field in fields.split() if field.isdigit()]
    if not newline or len(numbers) != 3:
        return Extent()
    return _of_samples(source, len(first) + len(fields) + 2, numbers[0] * max(1, numbers[2] // 8))


def _of_count(
    source: ByteSource, at: int, announced: int, patches: tuple[tuple[int, bytes], ...] = ()
) -> Extent:
    held = max(0, source.size - at)
    return Extent(announced, announced) if 0 < announced <= held else Extent(announced, held, patches)


def _of_samples(source: ByteSource, at: int, block: int) -> Extent:
    held = max(0, source.size - at)
    rest = held % block if block else 0
    note = f"ends within a sample ({rest} of {block} bytes); it may be truncated" if rest else ""
    return Extent(None, held, note=note)
