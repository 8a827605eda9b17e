"""The formats of recordings: which are read, under which suffixes, and how to convert the others.

Scans, predictions, messages and the documentation use this one list. What a file contains is decided by its
content, not by its name: the suffix only decides whether a file in a folder is taken as a recording.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class AudioFormat:
    """A format that is read.

    ``suffixes`` : of its files, in lower case. ``containers`` : those expected under these suffixes, by
    libsndfile's names. ``lossless`` : preferred to another file of the same clip.
    """

    name: str
    suffixes: tuple[str, ...]
    containers: frozenset[str]
    lossless: bool = True


def _format(name: str, suffixes: str, containers: str, *, lossless: bool = True) -> AudioFormat:
    return AudioFormat(name, tuple(suffixes.split()), frozenset(containers.split()), lossless)


AUDIO_FORMATS = (
    _format("WAV", ".wav .wave .bwf .rf64", "WAV WAVEX RF64 W64"),
    _format("FLAC", ".flac", "FLAC"),
    _format("MP3", ".mp3 .mp2 .mpga", "MP3", lossless=False),
    _format("Ogg", ".ogg .oga", "OGG", lossless=False),
    _format("Opus", ".opus", "OGG", lossless=False),
    _format("AIFF", ".aif .aiff .aifc", "AIFF"),
    _format("AU", ".au .snd", "AU MPC2K"),
    _format("CAF", ".caf", "CAF"),
    _format("W64", ".w64", "W64"),
    _format("SPHERE", ".sph .nist", "NIST"),
    _format("VOC", ".voc", "VOC"),
    _format("IRCAM", ".sf .ircam", "IRCAM"),
    _format("AVR", ".avr", "AVR"),
    _format("PVF", ".pvf", "PVF"),
    _format("PAF", ".paf", "PAF"),
    _format("8SVX", ".8svx .svx", "SVX"),
    _format("WVE", ".wve", "WVE"),
    _format("SDS", ".sds", "SDS"),
)
"""Every format that is read. Files of MATLAB and HTK, which seldom hold sound, are read only by name."""

AUDIO_SUFFIXES = frozenset(suffix for each in AUDIO_FORMATS for suffix in each.suffixes)
LOSSLESS_SUFFIXES = frozenset(suffix for each in AUDIO_FORMATS if each.lossless for suffix in each.suffixes)
CONTAINERS = {suffix: each.containers for each in AUDIO_FORMATS for suffix in each.suffixes}
"""Suffix → the containers expected under it."""

FORMAT_NAMES = ", ".join(each.name for each in AUDIO_FORMATS[:-1]) + f" and {AUDIO_FORMATS[-1].name}"
"""The formats that are read, for messages."""

ARCHIVE_SUFFIXES = frozenset(
    {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst"}
)


class Unread(StrEnum):
    """What may hold a recording but is not read."""

    MPEG4 = "MPEG-4 sound (AAC or ALAC)"
    MP4 = "an MPEG-4 or QuickTime file"
    THREE_GPP = "a 3GPP file"
    AAC = "AAC sound"
    CAF_AAC = "a CAF file with AAC sound"
    WEBM = "a WebM or Matroska file"
    AMR = "AMR sound"
    WMA = "Windows Media sound (WMA)"
    SPEEX = "Speex sound"
    AC3 = "AC-3 sound"
    DTS = "DTS sound"
    APE = "Monkey's Audio sound"
    WAVPACK = "WavPack sound"
    TTA = "True Audio sound"
    MUSEPACK = "Musepack sound"
    SHORTEN = "Shorten sound"
    REAL = "RealAudio sound"
    DSD = "DSD sound"
    QCP = "QCELP sound"
    OGG = "an Ogg file with neither Vorbis nor Opus"
    WAV = "a WAV file with an uncommon codec"
    VIDEO = "a video file"

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of such files, in lower case, the usual one first."""
        return _UNREAD_SUFFIXES[self]


_UNREAD_SUFFIXES = {
    Unread.MPEG4: (".m4a", ".m4b", ".m4r", ".m4p", ".mp4a", ".f4a"),
    Unread.MP4: (".mp4", ".mov", ".m4v", ".qt"),
    Unread.THREE_GPP: (".3gp", ".3gpp", ".3g2"),
    Unread.AAC: (".aac", ".adts"),
    Unread.WEBM: (".webm", ".weba", ".mka"),
    Unread.AMR: (".amr", ".awb"),
    Unread.WMA: (".wma", ".asf"),
    Unread.SPEEX: (".spx",),
    Unread.AC3: (".ac3", ".eac3"),
    Unread.DTS: (".dts",),
    Unread.APE: (".ape",),
    Unread.WAVPACK: (".wv",),
    Unread.TTA: (".tta",),
    Unread.MUSEPACK: (".mpc",),
    Unread.SHORTEN: (".shn",),
    Unread.REAL: (".ra", ".rm"),
    Unread.DSD: (".dsf", ".dff"),
    Unread.QCP: (".qcp",),
    Unread.CAF_AAC: (".caf",),
    Unread.OGG: (".ogg",),
    Unread.WAV: (".wav",),
    Unread.VIDEO: (".avi", ".flv", ".mkv", ".mpg", ".mpeg", ".wmv", ".ogv", ".vob", ".ts"),
}

_UNREAD = {
    suffix: kind
    for kind, suffixes in _UNREAD_SUFFIXES.items()
    for suffix in suffixes
    if suffix not in AUDIO_SUFFIXES
}


def unread_format(suffix: str) -> Unread | None:
    """What a file with this suffix may hold that is not read; None if it is read or unknown."""
    return _UNREAD.get(suffix.lower())


def conversion(kind: Unread, name: str | None = None) -> str:
    """One sentence: what the file is, and the command that converts it; ``name`` : of the file, if known.

    ``AAC sound, which is not read; convert it to WAV: ffmpeg -i clip.aac clip.wav``
    """
    name = name or f"FILE{kind.suffixes[0]}"
    stem, dot, suffix = name.rpartition(".")
    target = f"{stem if dot and '/' not in suffix else name}.wav"
    if target == name:
        target = f"{stem}-converted.wav"
    return (
        f"{kind}, which is not read; convert it to WAV: ffmpeg -i {shlex.quote(name)} {shlex.quote(target)}"
    )
