"""Attacks on the server of the page: every route, malformed requests, many clients, files that expand."""

from __future__ import annotations

import io
import json
import re
import socket
import struct
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from tests.training.web.asking import answer, client, join, shares, text, told, upload
from tests.training.web.conftest import Served
from tests.training.web.test_server import watched

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

PASSED = {
    ("GET", "/"),
    ("GET", "/config"),
    ("GET", "/theme.css"),
    ("GET", "/manifest.json"),
    ("GET", "/favicon.ico"),
    ("GET", "/gradio_api/startup-events"),
    ("GET", "/gradio_api/heartbeat/{session_hash}"),
    ("GET", "/gradio_api/upload_progress"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/reset"),
}
"""Requests of the page itself, which are answered without a recording. Nothing else may be."""

REFUSED = {400, 403, 404, 405, 411, 413, 422}


@pytest.fixture(scope="module", autouse=True)
def silent_to_the_end(served: Served) -> Iterator[None]:
    """Whatever strangers send, the server's terminal stays empty, no file is written, and it lives on."""
    lines = len(served.told)
    before = len(watched(served))
    yield
    assert served.process.poll() is None
    assert served.told[lines:] == []
    assert [place for kind, place in watched(served)[before:] if kind != "read"] == []
    (private,) = served.temporary.glob("ser-demo-*")
    assert [path for path in private.rglob("*") if not path.is_dir()] == []


def memory_of(served: Served, field: str) -> int:
    """Bytes of the server's memory: ``VmRSS`` now, ``VmHWM`` at most."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    (found,) = re.findall(rf"{field}:\s+(\d+) kB", status)
    return int(found) * 1024


def exchange(served: Served, *lines: str, body: bytes = b"") -> bytes:
    """Send a request as it stands and return the reply's first bytes; empty if the connection was closed."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall("\r\n".join((*lines, "", "")).encode("latin-1") + body)
        try:
            return line.recv(65_536)
        except ConnectionResetError:
            return b""


def test_of_all_routes_of_the_page_only_its_own_are_answered(served: Served) -> None:
    table = json.loads((served.temporary.parent / "routes.json").read_text())
    paths = {path for path, _ in table}
    assert len(paths) > 50
    assert {path for method, path in PASSED if method == "GET"} <= {*paths, "/favicon.ico"}
    with client(served.url) as to:
        for path in sorted(paths | {path for _, path in PASSED}):
            for value in ("x", "..%2f..%2f..%2fetc%2fpasswd"):
                filled = re.sub(r"\{[^}]*\}", value, path)
                for method in METHODS:
                    known = "GET" if method == "HEAD" else method
                    if (known, path) in PASSED and value == "x":
                        continue
                    request = to.build_request(method, filled or "/", json={} if method == "POST" else None)
                    reply = to.send(request)
                    assert reply.status_code in REFUSED, (method, filled, reply.text[:200])
                    assert b"root:" not in reply.content
                if value == "x" and value not in filled:
                    break


@pytest.mark.parametrize(
    "lines",
    [
        ("GET /../../../../etc/passwd HTTP/1.1", "Host: HOST"),
        ("GET /assets/../../../../../etc/passwd HTTP/1.1", "Host: HOST"),
        ("GET /assets/..%252f..%252fetc/passwd HTTP/1.1", "Host: HOST"),
        ("GET /assets/%2e%2e/%2e%2e/config HTTP/1.1", "Host: HOST"),
        ("GET /static/..\\..\\etc\\passwd HTTP/1.1", "Host: HOST"),
        ("GET /gradio_api/file=/proc/self/environ%00.wav HTTP/1.1", "Host: HOST"),
        ("GET http://169.254.169.254/latest/meta-data HTTP/1.1", "Host: HOST"),
        ("GET /gradio_api/proxy=http://169.254.169.254/ HTTP/1.1", "Host: HOST"),
        ("CONNECT 169.254.169.254:80 HTTP/1.1", "Host: HOST"),
        ("GET / HTTP/1.1", "Host: elsewhere.example"),
        ("GET / HTTP/1.1", "Host: HOST@elsewhere.example"),
        ("GET / HTTP/1.1", "Host: elsewhere.example", "X-Forwarded-Host: HOST"),
        ("GET / HTTP/1.1", "Host:"),
        ("GET / HTTP/1.1",),
        ("GET / HTTP/1.1", "Host: HOST", "X-Long: " + "a" * 200_000),
        ("BREW / HTTP/1.1", "Host: HOST"),
        ("GET\0/ HTTP/1.1", "Host: HOST"),
        ("\x16\x03\x01\x02\x00\x01", ""),
        ("GET /gradio_api/queue/data?session_hash=x HTTP/1.1", "Host: HOST", "Upgrade: websocket"),
        ("POST /gradio_api/upload HTTP/1.1", "Host: HOST", "Content-Length: -1"),
        ("POST /gradio_api/upload HTTP/1.1", "Host: HOST", "Content-Length: 9" + "9" * 30),
        ("POST /gradio_api/upload HTTP/1.1", "Host: HOST", "Content-Length: 5", "Content-Length: 6"),
        ("POST /gradio_api/upload HTTP/1.1", "Host: HOST", "Transfer-Encoding: chunked"),
    ],
)
def test_a_malformed_request_is_refused_or_hung_up_on(served: Served, lines: tuple[str, ...]) -> None:
    own = f"127.0.0.1:{served.port}"
    reply = exchange(served, *(line.replace("HOST", own) for line in lines), body=b"5\r\nabcde\r\n0\r\n\r\n")
    assert not reply or re.match(rb"HTTP/1.1 4\d\d", reply), reply[:300]
    assert b"root:" not in reply


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "same-site"}]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/cancel"),
        ("POST", "/gradio_api/reset"),
        ("GET", "/gradio_api/queue/data?session_hash=x"),
        ("GET", "/gradio_api/heartbeat/x"),
        ("GET", "/gradio_api/file=" + "A" * 43),
        ("GET", "/config"),
    ],
)
def test_no_other_site_may_ask_for_anything(
    served: Served, method: str, path: str, headers: dict[str, str]
) -> None:
    with client(served.url) as to:
        body = {} if method == "POST" else None
        assert to.request(method, path, json=body, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "session_hash=x",
        "session_hash=",
        "",
        "session_hash=x&session_hash=y",
        "session_hash=../x",
        "session_hash=%00",
    ],
)
def test_nobody_waits_in_a_session_that_does_not_exist(served: Served, query: str) -> None:
    with client(served.url) as to:
        reply = to.get(f"/gradio_api/queue/data?{query}")
        assert (reply.status_code, "Traceback" in reply.text) == (404, False)
        assert to.head(f"/gradio_api/queue/data?{query}").status_code == 404


def test_sessions_that_are_left_and_asked_again_stay_quiet(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        for _ in range(3):
            session = uuid.uuid4().hex
            assert join(to, {"path": upload(to, clips[0].read_bytes())}, session).status_code == 200
            streams = [
                to.build_request("GET", "/gradio_api/queue/data", params={"session_hash": session})
                for _ in range(3)
            ]
            replies = [to.send(stream, stream=True) for stream in streams]
            assert {reply.status_code for reply in replies} <= {200, 404}
            for reply in replies:
                reply.close()
        assert shares(told(to, clips[0].read_bytes()))


def test_thirty_clients_at_once_get_their_own_answers(served: Served, clips: list[Path]) -> None:
    def ask(number: int) -> bool:
        name = f"{number}-of-thirty.wav"
        with client(served.url) as to:
            return name in told(to, clips[number % 4].read_bytes(), name)

    with ThreadPoolExecutor(30) as pool:
        assert all(pool.map(ask, range(30)))


def test_slow_uploads_stop_nobody_and_leave_nothing(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        for _ in range(2):  # together they would take more than all the room
            slow = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(12)]
            for line in slow:
                line.sendall(
                    f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
                    "Content-Type: multipart/form-data; boundary=x\r\n"
                    f"Content-Length: {2**21}\r\n\r\n--x\r\n".encode()
                )
            assert shares(told(to, clips[0].read_bytes()))
            for line in slow:
                line.close()


def packed(form: str, subtype: str, seconds: float, rate: int, channels: int = 1) -> bytes:
    """A recording of silence with a click, which every compression makes small."""
    samples = np.zeros((int(seconds * rate), channels), np.int16)
    samples[::rate] = 1000
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def patched(content: bytes, *changes: tuple[int, bytes]) -> bytes:
    found = bytearray(content)
    for place, value in changes:
        found[place : place + len(value)] = value
    return bytes(found)


def wav(rate: int = 16_000, channels: int = 1, bits: int = 16, data: int = 64, kind: int = 1) -> bytes:
    align = channels * bits // 8 & 0xFFFF
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    return (
        b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", data) + bytes(64)
    )  # fmt: skip


def expanding() -> dict[str, bytes]:
    """Small files that announce, or unpack to, far more than a recording may hold."""
    short = {
        name: packed(name, "PCM_16", 0.5, 16_000) for name in ("AIFF", "AU", "W64", "CAF", "FLAC", "RF64")
    }
    flac, common = short["FLAC"], short["AIFF"].index(b"COMM")
    most = b"\xff" * 8
    return {
        "FLAC of ten minutes": packed("FLAC", "PCM_16", 600, 16_000),
        "FLAC of 8 channels": packed("FLAC", "PCM_16", 59, 48_000, 8),
        "OGG of five minutes": packed("OGG", "VORBIS", 300, 8_000),
        "OPUS of five minutes": packed("OGG", "OPUS", 300, 8_000),
        "MP3 of five minutes": packed("MP3", "MPEG_LAYER_III", 300, 16_000),
        "FLAC that announces 2^36 samples": patched(flac, (21, bytes([flac[21] | 15])), (22, most[:4])),
        "FLAC of 655,350 Hz": patched(flac, (18, b"\x9f\xff\x60")),
        "FLAC with blocks of 65,535": patched(flac, (8, b"\xff\xff\xff\xff")),
        "FLAC that is cut": flac[: len(flac) // 2],
        "FLAC with a picture of 16 MB": flac[:4] + b"\x06\xff\xff\xff" + flac[4:],
        "WAV that announces 4 GB": wav(data=0xFFFFFFFF),
        "WAV of 0 Hz": wav(rate=0),
        "WAV of 1 Hz": wav(rate=1),
        "WAV of 4 GHz": wav(rate=0xFFFFFFFF),
        "WAV without channels": wav(channels=0),
        "WAV of 65,535 channels": wav(channels=0xFFFF),
        "WAV of 0 bits": wav(bits=0),
        "WAV of 65,535 bits": wav(bits=0xFFFF),
        "WAV of an unknown kind": wav(kind=0x1234),
        "WAV of ADPCM without its header": wav(kind=2, bits=4),
        "RF64 of 2^63 bytes": patched(short["RF64"], (20, most), (28, most), (36, most)),
        "W64 of 2^63 bytes": patched(short["W64"], (16, most)),
        "AIFF of 2^32 frames": patched(short["AIFF"], (common + 10, most[:4])),
        "AIFF of an endless rate": patched(short["AIFF"], (common + 16, b"\x7f\xfe" + most)),
        "AU of 4 GB": patched(short["AU"], (8, most[:4])),
        "AU of 2^32 Hz": patched(short["AU"], (16, most[:4])),
        "CAF of 2^63 bytes": patched(short["CAF"], (short["CAF"].index(b"data") + 4, b"\x7f" + most[:7])),
        "CAF of a rate that is no number": patched(short["CAF"], (20, most)),
        "zip": b"PK\3\4" + bytes(10_000),
        "gzip": b"\x1f\x8b\x08" + bytes(10_000),
        "playlist": b"#EXTM3U\nhttp://127.0.0.1:1/a.mp3\n",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    }  # fmt: skip


def test_files_that_expand_are_refused_within_bounded_memory(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        told(to, clips[0].read_bytes())
        before = memory_of(served, "VmHWM")
        for name, content in expanding().items():
            assert len(content) < 2**21, name
            shown = told(to, content, "x.bin")
            assert 'role="alert"' in shown or shares(shown), name
            assert "the server failed" not in text(shown), name
            assert "onload" not in shown
        assert memory_of(served, "VmHWM") - before < 200 * 2**20


def test_memory_after_300_requests_is_that_of_before(served: Served, clips: list[Path]) -> None:
    def ask(to: httpx.Client, count: int) -> None:
        for number in range(count):
            match number % 6:
                case 0:
                    assert shares(told(to, clips[number % 4].read_bytes()))
                case 1:
                    to.get("/")
                case 2:
                    join(to, {"path": "A" * 43}, uuid.uuid4().hex)
                case 3:
                    to.get("/gradio_api/queue/data", params={"session_hash": uuid.uuid4().hex})
                case 4:
                    to.post("/gradio_api/upload", content=b"--x\r\n", headers={"Content-Type": "text/plain"})
                case 5:
                    to.get(f"/gradio_api/file={'A' * 43}")

    with client(served.url) as to:
        ask(to, 60)
        before = memory_of(served, "VmRSS")
        ask(to, 300)
        assert memory_of(served, "VmRSS") - before < 40 * 2**20


def test_after_all_that_a_visitor_is_answered(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        session = uuid.uuid4().hex
        assert join(to, {"path": upload(to, clips[1].read_bytes())}, session).status_code == 200
        assert shares(answer(to, session))
