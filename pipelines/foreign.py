"""What a file is that is not a readable recording, told by its first bytes, and how to get the recording."""

from __future__ import annotations

import codecs
import json

import numpy as np

from pipelines.recording.source import WHOLE_BYTES, ByteSource
from schemas.files.formats import Unread, conversion

_HEAD = 4096
"""Bytes of a file that are looked at."""

_SHOWN = 40
"""Characters of a text file that are shown."""

_ARCHIVES = (
    (b"PK\x03\x04", "a ZIP"),
    (b"PK\x05\x06", "a ZIP"),
    (b"PK\x07\x08", "a ZIP"),
    (b"\x1f\x8b", "a gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z"),
    (b"Rar!\x1a\x07", "a RAR"),
    (b"BZh", "a bzip2"),
    (b"\xfd7zXZ\x00", "an xz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard"),
)

_SOUNDS = (
    (b"#!AMR", Unread.AMR),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Unread.WMA),
    (b"ADIF", Unread.AAC),
    (b"\x0b\x77", Unread.AC3),
    (b"\x7f\xfe\x80\x01", Unread.DTS),
    (b"MAC ", Unread.APE),
    (b"wvpk", Unread.WAVPACK),
    (b"TTA1", Unread.TTA),
    (b"TTA2", Unread.TTA),
    (b"MPCK", Unread.MUSEPACK),
    (b"MP+", Unread.MUSEPACK),
    (b"ajkg", Unread.SHORTEN),
    (b".RMF", Unread.REAL),
    (b".ra\xfd", Unread.REAL),
    (b"DSD ", Unread.DSD),
    (b"FRM8", Unread.DSD),
    (b"FLV\x01", Unread.VIDEO),
    (b"\x00\x00\x01\xba", Unread.VIDEO),
    (b"\x00\x00\x01\xb3", Unread.VIDEO),
)

_OTHERS = (
    (b"\x00\x05\x16\x07", "an AppleDouble file of macOS, which holds no sound; delete it"),
    (b"\x00\x05\x16\x00", "an AppleSingle file of macOS; copy the recording again"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"MThd", "a MIDI file: notes without sound"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"\x93NUMPY", "an array of NumPy; write it as WAV"),
    (b"\xd0\xcf\x11\xe0", "an Office document"),
    (b"SQLite format 3", "a database"),
    (b"\x7fELF", "a program"),
)

_IN_RIFF = {b"RMID": "a MIDI file: notes without sound", b"WEBP": "a WebP picture"}

_PICTURES = (b"heic", b"heix", b"mif1", b"avif")

_CONTAINERS = frozenset(
    {b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b"caff", b".snd", b"NIST"}
)
"""Starts of containers that are read: a file that ends soon after is damaged, although it looks like text."""

_READ_TAGS = frozenset({1, 2, 3, 6, 7, 0x11, 0x31, 0x38, 0x45, 0x50, 0x55, 0xFFFE})
"""Codecs of WAV files that libsndfile knows; a file with one of them is damaged rather than foreign."""


def explain_foreign(source: ByteSource) -> str | None:
    """What the content of a file is, and the next step; None if it may be a damaged recording, or is unknown.

    ``source`` : the file, which libsndfile could not read; of a large one, only the start is looked at.
    """
    head = source.read(0, _HEAD)
    kind = _unread(_after_id3(source, head))
    if kind is not None:
        return conversion(kind)
    other = _other(source, head)
    return None if other is None else f"not readable as audio: {other}"


def _other(source: ByteSource, head: bytes) -> str | None:
    """What the content is if it is no sound."""
    if not np.frombuffer(source.read(0, WHOLE_BYTES), np.uint8).any():
        zeros = "nothing but" if source.size <= WHOLE_BYTES else f"{WHOLE_BYTES >> 20} MiB of"
        return (
            f"{zeros} zeros ({source.size:,} bytes): a copy or download was interrupted; get the file again"
        )
    for magic, archive in _ARCHIVES:
        if head.startswith(magic):
            return f"{archive} archive; unpack it"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it"
    if head[:4] == b"RIFF" and head[8:12] in _IN_RIFF:
        return _IN_RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return "a HEIF picture"
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return what
    return _in_text(source, head)


def _after_id3(source: ByteSource, head: bytes) -> bytes:
    """The head of the sound behind an ID3v2 tag; the head itself if there is no tag."""
    if head[:3] != b"ID3" or len(head) < 10:
        return head
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return source.read(10 + size, _HEAD)


def _unread(head: bytes) -> Unread | None:
    if head[4:8] == b"ftyp":
        return _of_brand(head)
    if head[4:8] in {b"moov", b"mdat", b"wide"}:
        return Unread.MP4
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return Unread.AAC
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return Unread.WEBM
    if head[:4] == b"OggS":
        return _in_ogg(head)
    if head[:4] in {b"RIFF", b"RIFX"}:
        return _in_riff(head)
    if head[:4] == b"caff" and b"aac" in head[:64]:
        return Unread.CAF_AAC
    if head[:1] == b"G" and len(head) > 376 and head[188] == head[376] == 0x47:
        return Unread.VIDEO
    return next((kind for magic, kind in _SOUNDS if head.startswith(magic)), None)


def _of_brand(head: bytes) -> Unread | None:
    """A file of the MPEG-4 family, by the brands that its first box lists; None for a picture."""
    brands = head[8 : min(64, int.from_bytes(head[:4], "big"))]
    if b"M4A" in brands or brands[:3] in {b"M4B", b"M4P", b"F4A"}:
        return Unread.MPEG4
    if brands[:3] in {b"3gp", b"3g2", b"3ge", b"3gr"}:
        return Unread.THREE_GPP
    return None if brands[:4] in _PICTURES else Unread.MP4


def _in_ogg(head: bytes) -> Unread | None:
    packet = head[28:36]  # behind the page's header and its table of one segment
    if packet == b"Speex   ":
        return Unread.SPEEX
    if packet[1:7] == b"theora":
        return Unread.VIDEO
    is_read = packet == b"OpusHead" or packet[1:7] == b"vorbis"
    return None if is_read or len(packet) < 8 else Unread.OGG


def _in_riff(head: bytes) -> Unread | None:
    match head[8:12]:
        case b"AVI ":
            return Unread.VIDEO
        case b"QLCM":
            return Unread.QCP
        case b"WAVE" if (at := head.find(b"fmt ")) >= 0 and len(head) >= at + 10:
            tag = int.from_bytes(head[at + 8 : at + 10], "little" if head[:4] == b"RIFF" else "big")
            return None if tag in _READ_TAGS else Unread.WAV
    return None


def _in_text(source: ByteSource, head: bytes) -> str | None:
    """What a text file is; None if the content is no text."""
    text = None if head[:4] in _CONTAINERS else _decode_text(head)
    if text is None:
        return None
    words = text.strip().lower()
    if words.startswith(("version https://git-lfs", "version https://hawser")):
        return "a Git LFS pointer; in its Git repository run: git lfs pull"
    if "/annex/objects/" in words[:200]:
        return "a git-annex pointer; in its Git repository run: git annex get ."
    again = "the download returned an error or a login page; get the recording again"
    if words.startswith(("<!doctype html", "<html", "<head", "<body")) or "<html" in words:
        return f"an HTML page; {again}"
    if words.startswith(("<?xml", "<")):
        return f"an XML document; {again}"
    if words.startswith(("{", "[")) and _is_json(source, head):
        return f"a JSON document; {again}"
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return f"a text file that begins with '{shown}'; get the recording again"


def _decode_text(head: bytes) -> str | None:
    """The text at the start of a file, if all of it is text."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return head.decode(name, "replace")
    if any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in head):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return head.decode("latin-1") if sum(byte >= 127 for byte in head) * 10 < len(head) else None


def _is_json(source: ByteSource, head: bytes) -> bool:
    if source.size > len(head):
        return True
    try:
        json.loads(head)
    except (ValueError, RecursionError):
        return False
    return True
