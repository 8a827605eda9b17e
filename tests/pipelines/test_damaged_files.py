"""Damaged files: each is read or refused, within seconds, whatever its bytes."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.pipelines.speech import RATE, encoded, gliding_voice

VOICE = gliding_voice(140, 1.0)

DECODE_ALL = """
import faulthandler, math, resource, sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import scipy.signal

from pipelines.decode import UnusableRecordingError, decode
from schemas.spec import AudioSpec

faulthandler.enable()
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)
audio = AudioSpec(trim_db=40.0, normalise="peak")
for file in sorted(Path(sys.argv[1]).iterdir()):
    print(f"\\n{file.name}", end=": ", flush=True)
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        recording = decode(file.read_bytes(), audio)
    except UnusableRecordingError as error:
        one_sentence = str(error).isprintable() and len(str(error)) < 200
        print("refused" if one_sentence else f"no sentence: {error!r}", end="", flush=True)
    except BaseException as error:
        print(f"escaped: {error!r}", end="", flush=True)
    else:
        numbers = [number for number in astuple(recording.quality) if number is not None]
        finite = np.isfinite(recording.samples).all() and all(map(math.isfinite, numbers))
        usable = finite and len(recording.samples) and abs(recording.samples).max() <= 1
        print(f"read {recording.container}" if usable else f"not finite: {recording}", end="", flush=True)
"""
"""Decodes a folder's files in order, each named before; ends at the first that takes too long."""

SECONDS_EACH = 5
DAMAGED = 1200
WHOLE = {
    "wav-16": ("WAV", "PCM_16"),
    "wav-24": ("WAV", "PCM_24"),
    "wav-float": ("WAV", "FLOAT"),
    "wavex": ("WAVEX", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "aiff": ("AIFF", "PCM_16"),
    "aiff-c": ("AIFF", "FLOAT"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}
EXTREMES = [
    *(value.to_bytes(2, order) for value in (0, 1, 1024, 0xFFFF) for order in ("little", "big")),
    *(
        value.to_bytes(4, order)
        for value in (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
        for order in ("little", "big")
    ),
    *(value.to_bytes(8, order) for value in (0, 2**40, 2**63 - 1, 2**64 - 1) for order in ("little", "big")),
]
HEADER = 140
"""Bytes within which each of these formats has its header."""

CHUNKS = re.compile(rb"fmt |fact|PEAK|data|ds64|COMM|SSND|FVER|OggS")
Damage = Callable[[bytes, np.random.Generator], bytes]


def _place(data: bytes, rng: np.random.Generator) -> int:
    """A position, every other time in the header."""
    return int(rng.integers(min(len(data), HEADER) if rng.integers(2) else len(data)))


def _flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 12)):
        damaged[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _place(data, rng)]


def _insert(data: bytes, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.bytes(int(rng.integers(1, 3000))) + data[at:]


def _delete(data: bytes, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 3000)) :]


def _extreme_fields(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at, value = 2 * int(rng.integers(HEADER // 2)), EXTREMES[rng.integers(len(EXTREMES))]
        damaged[at : at + len(value)] = value
    return bytes(damaged)


def _swap_chunks(data: bytes, rng: np.random.Generator) -> bytes:
    """Two neighbouring chunks or pages change places, or two pieces where the format names none."""
    edges = [found.start() for found in CHUNKS.finditer(data)] + [len(data)]
    places = edges if len(edges) > 3 else range(4, len(data))
    first, second, third = sorted(rng.choice(places, 3, replace=False).tolist())
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    """A part of the file, or all of it, before the whole."""
    return data[: int(rng.integers(1, len(data) + 1))] + data


DAMAGES: list[Damage] = [
    _flip_bits, _truncate, _insert, _delete, _extreme_fields, _swap_chunks, _repeat,
]  # fmt: skip


def _with_right_checksums(data: bytes) -> bytes:
    """Ogg pages with the checksum of what they hold now, else libogg drops a damaged page unread."""
    mended = bytearray(data)
    for found in re.finditer(b"OggS", data):
        page = mended[found.start() :]
        if len(page) < 27 or len(page) < 27 + page[26]:
            continue
        page = page[: 27 + page[26] + sum(page[27 : 27 + page[26]])]
        page[22:26] = bytes(4)
        checksum = 0  # polynomial 0x04C11DB7, highest bit first, from 0 (RFC 3533)
        for byte in page:
            checksum = ((checksum << 8) & 0xFFFFFFFF) ^ CHECKSUMS[(checksum >> 24) ^ byte]
        mended[found.start() + 22 : found.start() + 26] = checksum.to_bytes(4, "little")
    return bytes(mended)


def _checksum(byte: int) -> int:
    remainder = byte << 24
    for _ in range(8):
        remainder = (remainder << 1) ^ (0x104C11DB7 if remainder & 0x80000000 else 0)
    return remainder


CHECKSUMS = [_checksum(byte) for byte in range(256)]


def _write_damaged(folder: Path) -> None:
    rng = np.random.default_rng(20)
    sound = (VOICE[: RATE // 3] + 0.01 * rng.standard_normal(RATE // 3)).astype(np.float32)
    for number in range(DAMAGED):
        name = list(WHOLE)[number % len(WHOLE)]
        damage = DAMAGES[number // len(WHOLE) % len(DAMAGES)]
        stereo = np.stack([sound, sound[::-1]], axis=1)
        data = damage(encoded(stereo if rng.integers(2) else sound, RATE, *WHOLE[name]), rng)
        if name == "ogg" and rng.integers(2):
            data = _with_right_checksums(data)
        (folder / f"{number:04d}-{name}-{damage.__name__.strip('_')}").write_bytes(data)


def test_checksums_are_those_of_an_undamaged_file() -> None:
    whole = encoded(VOICE, RATE, "OGG", "VORBIS")
    at = whole.rindex(b"OggS") + 22
    assert _with_right_checksums(whole[:at] + bytes(4) + whole[at + 4 :]) == whole


def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    """In a process of its own with 4 GiB of addresses: no crash, no hang, no huge allocation."""
    _write_damaged(tmp_path)
    script = DECODE_ALL.replace("SECONDS", str(SECONDS_EACH))
    child = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, timeout=300, check=False
    )
    outcomes = dict(re.findall(r"^(\d{4}-\S+): (.*)$", child.stdout.decode(errors="replace"), re.MULTILINE))
    errors = child.stderr.decode(errors="replace")
    assert child.returncode == 0, f"ended at {list(outcomes)[-1:]}: {errors[-2000:]}"
    assert len(outcomes) == DAMAGED
    wrong = {name: end for name, end in outcomes.items() if not end.startswith(("read", "refused"))}
    assert not wrong
    assert "Traceback" not in errors  # an error in a callback of libsndfile's is printed, not raised
    tally = Counter(
        (name.split("-", 1)[1].rsplit("-", 1)[0], end.split()[0]) for name, end in outcomes.items()
    )
    assert all(tally[name, "refused"] >= 5 for name in WHOLE), tally
    assert all(tally[name, "read"] >= 5 for name in WHOLE if name != "flac"), tally  # FLAC checks itself
