"""The table of containers: how each is recognised, and what measures its samples."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.recording.caf import measure_caf
from pipelines.recording.extent import Extent
from pipelines.recording.fixed_header import (
    measure_au,
    measure_avr,
    measure_htk,
    measure_ircam,
    measure_mpc,
    measure_paf,
    measure_pvf,
    measure_sds,
    measure_wve,
    measure_xi,
)
from pipelines.recording.iff import measure_aiff, measure_svx
from pipelines.recording.matlab import measure_mat4, measure_mat5
from pipelines.recording.mpeg import measure_mpeg
from pipelines.recording.ogg import measure_ogg
from pipelines.recording.riff import measure_riff
from pipelines.recording.source import ByteSource, Part
from pipelines.recording.speech_headers import measure_sphere, measure_voc
from pipelines.recording.tags import ends_of_leading_tags
from pipelines.recording.wave64 import measure_wave64

_HEAD = 128


@dataclass(frozen=True)
class Container:
    """A container: its name, its first bytes, and what measures it (None: libsndfile counts its samples)."""

    name: str
    begins: re.Pattern[bytes]
    measure: Callable[[ByteSource], Extent | None] | None


@dataclass(frozen=True)
class ContainerLayout:
    """What is known of a recording before it is decoded.

    ``container`` : its name, or "" if it is none of the table.
    ``start``     : offset of the container, behind leading tags.
    ``extent``    : what the container announces and holds.
    """

    container: str
    start: int
    extent: Extent


def _begins(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


CONTAINERS = (
    Container("WAV", _begins(rb"(?:RIFF|RIFX)....WAVE"), measure_riff),
    Container("RF64", _begins(rb"(?:RF64|BW64)....WAVE"), measure_riff),
    Container("W64", _begins(rb"riff\x2e\x91\xcf\x11"), measure_wave64),
    Container("AIFF", _begins(rb"FORM....AIF[FC]"), measure_aiff),
    Container("SVX", _begins(rb"FORM....(?:8SVX|16SV)"), measure_svx),
    Container("FLAC", _begins(rb"fLaC"), None),
    Container("OGG", _begins(rb"OggS"), measure_ogg),
    Container("AU", _begins(rb"\.snd.{12}|dns\..{12}"), measure_au),
    Container("CAF", _begins(rb"caff"), measure_caf),
    Container("SPHERE", _begins(rb"NIST_1A\n"), measure_sphere),
    Container("VOC", _begins(rb"Creative Voice File\x1a"), measure_voc),
    Container("AVR", _begins(rb"2BIT.{124}"), measure_avr),
    Container("MAT 4", _begins(rb"(?:\0\0\0\0|\0\0\x03\xe8).{12}.{4}samplerate"), measure_mat4),
    Container("MAT 5", _begins(rb"MATLAB 5.0 MAT-file"), measure_mat5),
    Container("PVF", _begins(rb"PVF1\n"), measure_pvf),
    Container("PAF", _begins(rb" paf|fap "), measure_paf),
    Container("IRCAM", _begins(rb"\x64\xa3[\x00-\x04]\x00|\x00[\x00-\x04]\xa3\x64"), measure_ircam),
    Container("SDS", _begins(rb"\xf0\x7e.\x01.{17}"), measure_sds),
    Container("XI", _begins(rb"Extended Instrument: "), measure_xi),
    Container("WVE", _begins(rb"ALawSoundFile\*\*\0"), measure_wve),
    Container("MPC2K", _begins(rb"\x01\x04.{40}"), measure_mpc),
    Container("MP3", _begins(rb"\xff[\xe2-\xff].{62}"), measure_mpeg),
    Container("HTK", _begins(rb".{8}\x00\x02\x00\x00"), measure_htk),
)
"""Every container that libsndfile recognises by its bytes, in the order in which they are tried."""


def examine(source: ByteSource) -> ContainerLayout:
    """Look at the header of a recording, and at its end if need be. Raises what the source raises."""
    for start in dict.fromkeys(ends_of_leading_tags(source)):
        part = Part(source, start) if start else source
        head = part.read(0, _HEAD)
        for container in CONTAINERS:
            if container.begins.match(head):
                extent = container.measure(part) if container.measure is not None else None
                return ContainerLayout(container.name, start, extent or Extent())
    return ContainerLayout("", 0, Extent())
