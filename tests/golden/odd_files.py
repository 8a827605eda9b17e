"""Recordings that cannot be used, or that deserve a note: each way that can be made without an encoder."""

from __future__ import annotations

import math
import shutil
import struct
from pathlib import Path

_RATE = 8000

_DESCRIPTION = """
title = "Odd files"
licence = "made by tests/golden"
home_page = "https://example.org/odd"
speaker = '/(?P<speaker>[a-z]+)_'
[genders]
anna = "female"
bert = "male"
nobody = "male"
[emotions]
cheery = "happy"
"""


def write_odd_files(root: Path, voice: Path) -> None:
    """Write the folder corpus ``odd`` to ``root``; ``voice`` is a WAV file to copy from."""
    for folder in ("happy", "cheery", "sad/happy", "elsewhere"):
        (root / folder).mkdir(parents=True)
    (root / "corpus.toml").write_text(_DESCRIPTION, encoding="utf-8")
    whole = voice.read_bytes()
    tone = [0.5 * math.sin(2 * math.pi * 220 * n / _RATE) for n in range(_RATE // 2)]
    opposite = [value for sample in tone for value in (sample, -sample)]
    stereo = [value for sample in tone for value in (sample, 0.5 * sample)]
    for name, data in {
        "happy/anna_first.wav": whole,
        "happy/anna_again.wav": whole,
        "happy/anna_empty.wav": b"",
        "happy/anna_text.wav": b"This is not a recording.\n" * 20,
        "happy/anna_cut.wav": whole[: len(whole) // 2],
        "cheery/anna_silent.wav": _wav([0.0] * _RATE),
        "cheery/anna_cancels.wav": _wav(opposite, channels=2),
        "cheery/anna_stereo.wav": _wav(stereo, channels=2),
        "sad/bert_none.wav": _wav([]),
        "sad/bert_one.wav": _wav(tone[:1]),
        "sad/bert_short.wav": _wav(tone[:80]),
        "sad/bert_long.wav": _wav(tone * 11),
        "sad/bert_nan.wav": _wav([*tone, math.nan], floats=True),
        "sad/bert_nans.wav": _wav([*tone, math.nan, math.inf], floats=True),
        "sad/bert_loud.wav": _wav([*tone, 1e4], floats=True),
        "sad/bert_aiff.wav": _aiff(tone),
        "sad/bert_cut.aiff": _aiff(tone)[:-1000],
        "sad/bert_piped.flac": _flac_of_unknown_length(),
        "sad/happy/bert_inner.wav": _wav(tone[:3000]),
        "sad/stranger.wav": _wav(tone[:2500]),
        "elsewhere/anna_1.wav": whole,
        "notes.txt": b"notes",
        "film.mp4": b"film",
        "sounds.zip": b"PK",
    }.items():
        (root / name).write_bytes(data)
    shutil.copyfile(root / "happy" / "anna_first.wav", root / "happy" / "anna_first.wave")
    (root / "sad" / "bert_link.wav").symlink_to("nowhere.wav")


def _wav(samples: list[float], channels: int = 1, *, floats: bool = False) -> bytes:
    """Interleaved samples as 16-bit or 32-bit float WAV."""
    width, kind = (4, 3) if floats else (2, 1)
    if floats:
        data = struct.pack(f"<{len(samples)}f", *samples)
    else:
        data = struct.pack(f"<{len(samples)}h", *(round(32767 * sample) for sample in samples))
    form = struct.pack(
        "<HHIIHH", kind, channels, _RATE, _RATE * channels * width, channels * width, 8 * width
    )
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _aiff(samples: list[float]) -> bytes:
    """Mono samples as 16-bit AIFF; the rate is an 80-bit float."""
    data = struct.pack(f">{len(samples)}h", *(round(32767 * sample) for sample in samples))
    exponent = _RATE.bit_length() - 1
    rate = struct.pack(">HQ", 16383 + exponent, _RATE << (63 - exponent))
    common = struct.pack(">hIh", 1, len(samples), 16) + rate
    sound = struct.pack(">II", 0, 0) + data
    chunks = (
        b"COMM" + struct.pack(">I", len(common)) + common + b"SSND" + struct.pack(">I", len(sound)) + sound
    )
    return b"FORM" + struct.pack(">I", 4 + len(chunks)) + b"AIFF" + chunks


def _flac_of_unknown_length() -> bytes:
    """The header of a FLAC file that was written to a pipe: it counts 0 samples."""
    sizes = struct.pack(">HH", 4096, 4096) + bytes(6)
    format_and_count = (_RATE << 44) | (0 << 41) | (15 << 36)
    return b"fLaC" + b"\x80\x00\x00\x22" + sizes + struct.pack(">Q", format_and_count) + bytes(16)
