"""Lines of C libraries do not reach the terminal; those of Python do."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import soundfile

from pipelines.decode import decode
from pipelines.quiet import quiet_libraries
from schemas.spec import AudioSpec
from tests.pipelines.speech import encoded, tone


def _frame(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "big") + b"\0\0" + body


@pytest.fixture(scope="module")
def badly_tagged() -> bytes:
    """An MP3 with tags that libmpg123 complains about."""
    frames = _frame(b"COMM", b"\0eng") + _frame(b"TXXX", b"\1\xff") + _frame(b"TIT2", b"\1\xff\xfeA")
    size = bytes((len(frames) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames + encoded(tone(440, 1.0), 22_050, "MP3")


def test_the_library_does_complain(badly_tagged: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with soundfile.SoundFile(io.BytesIO(badly_tagged)) as file:
        file.read()
    assert "mpg123" in capfd.readouterr().err


def test_decoding_is_quiet_in_any_number_of_threads(
    badly_tagged: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: decode(badly_tagged, AudioSpec()), range(8)))
    assert {round(each.duration_s) for each in found} == {1}
    assert capfd.readouterr().err == ""


def test_python_is_heard_meanwhile_and_libraries_afterwards(
    badly_tagged: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with quiet_libraries(), quiet_libraries():
        sys.stderr.write("heard\n")
        soundfile.info(io.BytesIO(badly_tagged))
    assert capfd.readouterr().err == "heard\n"
    soundfile.info(io.BytesIO(badly_tagged))
    assert "mpg123" in capfd.readouterr().err
