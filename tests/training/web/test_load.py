"""Many visitors, many requests, and small files that expand: memory stays bounded and nothing is left."""

from __future__ import annotations

import io
import re
import signal
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.pipelines.recording.encodings import HEADERLESS
from tests.pipelines.speech import without_length
from tests.training.web.asking import client, shares, text, told
from tests.training.web.conftest import Served
from tests.training.web.test_server import watched
from training.predict.predictor import Predictor

pytestmark = pytest.mark.slow  # a server of its own takes a minute

MEGABYTE = 2**20


def kept_mb(served: Served) -> float:
    """Memory without garbage that is not collected yet, and without what the allocator holds in reserve."""
    tidied = ("tidied", "memory")
    before = watched(served).count(tidied)
    served.process.send_signal(signal.SIGUSR1)
    while watched(served).count(tidied) == before:
        time.sleep(0.1)
    return memory_mb(served, "VmRSS")


def memory_mb(served: Served, field: str) -> float:
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def test_thirty_clients_at_once_get_their_own_answers(served: Served, run: Path, clips: list[Path]) -> None:
    predictor = Predictor.open(run, "cpu")
    asked = clips[::5][:30]
    expected = {clip.name: predictor.predict(clip).ranked[0][0] for clip in asked}

    def ask(clip: Path) -> tuple[str, str]:
        with client(served.url) as to:
            return clip.name, told(to, clip.read_bytes(), clip.name)

    with ThreadPoolExecutor(30) as pool:
        shown = dict(pool.map(ask, asked))
    assert {*shown} == {*expected}
    for name, markup in shown.items():
        assert name in text(markup)
        assert next(iter(shares(markup))) == expected[name]


def silence(form: str, subtype: str | None, minutes: float, rate: int = 8000) -> bytes:
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", rate, 1, subtype, format=form) as file:
        for _ in range(round(minutes * 6)):
            file.write(np.zeros(10 * rate, np.int16))
    return content.getvalue()


def wav(channels: int, rate: int, announced: int, held: int) -> bytes:
    """A 16-bit WAV file that announces ``announced`` bytes of samples and holds ``held``."""
    block = 2 * channels % 2**16
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block % 2**32, block, 16)
    riff = min(announced + 36, 2**32 - 1)
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", announced) + bytes(held)


EXPANDING: dict[str, Callable[[], bytes]] = {
    "two hours in FLAC": lambda: silence("FLAC", "PCM_16", 120),
    "two hours in FLAC without a length": lambda: without_length(silence("FLAC", "PCM_16", 120)),
    "ten minutes in Vorbis": lambda: silence("OGG", "VORBIS", 10),
    "ten minutes in Opus": lambda: silence("OGG", "OPUS", 10),
    "ten minutes in MP3": lambda: silence("MP3", None, 10),
    "ten minutes in ALAC": lambda: silence("CAF", "ALAC_16", 10),
    "ten minutes in GSM": lambda: silence("WAV", "GSM610", 10),
    "ten minutes at 1 Hz": lambda: wav(1, 1, 1200, 1200),
    "4 GB announced": lambda: wav(1, 8000, 2**32 - 1, 1000),
    "65,535 channels": lambda: wav(65_535, 8000, 2**20, 2**20),
    "4 GHz": lambda: wav(1, 2**32 - 1, 1000, 1000),
    "0 Hz": lambda: wav(1, 0, 1000, 1000),
}


def test_small_files_that_expand_are_refused_in_little_memory(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        assert shares(told(to, clips[0].read_bytes()))
        before = memory_mb(served, "VmHWM")
        for kind, make in EXPANDING.items():
            content = make()
            assert len(content) <= 2 * MEGABYTE, kind
            shown = told(to, content, f"{kind}.wav")
            assert 'role="alert"' in shown, kind
            assert "the server failed" not in text(shown), kind
        assert memory_mb(served, "VmHWM") - before < 50
        assert shares(told(to, clips[0].read_bytes()))


def test_what_is_too_long_is_refused_in_every_container(served: Served) -> None:
    refused = {}
    with client(served.url) as to:
        for form in sorted(soundfile.available_formats()):
            if form in HEADERLESS | {"XI"}:  # XI has no sample rate: it is read at 44.1 kHz
                continue
            with soundfile.SoundFile(io.BytesIO(), "w", 8000, 1, format=form) as default:
                wide = default.subtype in {"FLOAT", "DOUBLE"}
            content = silence(form, "PCM_16" if wide else None, 1.1)
            shown = text(told(to, content, f"long.{form.lower()}"))
            refused[form] = "this page accepts at most 60 s" in shown or shown
    assert len(refused) > 20
    assert {form: found for form, found in refused.items() if found is not True} == {}


def test_many_requests_leave_nothing(served: Served, clips: list[Path]) -> None:
    samples, rate = soundfile.read(clips[0])
    short = io.BytesIO()
    soundfile.write(short, samples[: rate // 2], rate, format="WAV")

    def ask(_: int) -> bool:
        with client(served.url) as to:
            return bool(shares(told(to, short.getvalue())))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(60)))
        before = kept_mb(served)
        assert all(pool.map(ask, range(120)))
    assert kept_mb(served) - before < 25  # 48 when each answer was kept
    (private,) = served.temporary.glob("ser-demo-*")
    assert [path for path in private.rglob("*") if not path.is_dir()] == []
    assert [path for path in served.temporary.rglob("*") if path.is_file()] == []
