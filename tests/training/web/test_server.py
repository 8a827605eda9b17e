"""A server as strangers meet it: by plain HTTP, with paths, addresses and sizes that it must refuse."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from tests.training.web.asking import answer, client, join, shares, text, told, upload
from tests.training.web.conftest import COMMAND, Serve, Served
from training.predict.predictor import Predictor

MEGABYTE = 2**20


def watched(served: Served) -> list[tuple[str, str]]:
    lines = (served.temporary.parent / "watched-server").read_text().splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_a_recording_is_answered_over_http(served: Served, run: Path, clips: list[Path]) -> None:
    predictor = Predictor.open(run, "cpu")
    with client(served.url) as to:
        shown = told(to, clips[3].read_bytes(), clips[3].name)
    expected = {name: round(100 * share) for name, share in predictor.predict(clips[3]).ranked}
    found = shares(shown)
    assert {*found} == {*expected}
    assert all(abs(found[name] - expected[name]) <= 1 for name in expected)
    assert clips[3].name in text(shown)
    assert shown.count("data:image/png;base64,") == 1
    assert "data:audio/wav;base64," in shown


def test_answers_of_users_at_the_same_time_are_their_own(
    served: Served, run: Path, clips: list[Path]
) -> None:
    predictor = Predictor.open(run, "cpu")
    chosen = clips[::20]
    expected = {clip.name: predictor.predict(clip).ranked[0] for clip in chosen}

    def ask(clip: Path) -> tuple[str, str]:
        with client(served.url) as to:
            return clip.name, told(to, clip.read_bytes(), clip.name)

    with ThreadPoolExecutor(8) as pool:
        for name, shown in pool.map(ask, chosen * 2):
            emotion, share = expected[name]
            assert name in shown
            assert shares(shown)[emotion] == pytest.approx(100 * share, abs=1)
            assert next(iter(shares(shown))) == emotion


def test_no_recording_is_written_and_nobody_is_asked(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        told(to, clips[0].read_bytes())
        before = len(watched(served))
        told(to, clips[1].read_bytes())
        to.get("/")
        after = watched(served)
    assert [event for event in after[before:] if event[0] in {"write", "connect", "resolve"}] == []
    asked = {where for kind, where in after if kind in {"connect", "resolve"}}
    assert asked <= {"127.0.0.1", "localhost", "::1"}
    (private,) = served.temporary.glob("ser-demo-*")
    assert private.stat().st_mode & 0o777 == 0o700
    assert [path for path in private.rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2Fetc%2Fpasswd",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/file=" + "A" * 43,
        "/gradio_api/file/etc/passwd",
        "/file=/etc/passwd",
        "/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/proxy=http://127.0.0.1:1/",
        "/static/../../../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc/passwd",
        "/assets//etc/passwd",
        "/svelte/../../etc/passwd",
        "/gradio_api/custom_component/x/client/y/z",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/runs",
        "/gradio_api/app_id",
        "/gradio_api/dev/reload",
        "/monitoring",
        "/gradio_api/vibe-code",
        "/gradio_api/deep_link",
        "/docs",
        "/openapi.json",
        "/login_check",
    ],
)
def test_nothing_but_the_page_can_be_had(served: Served, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", path)  # as it stands: httpx would tidy it up
    reply = connection.getresponse()
    body = reply.read()
    assert reply.status in {403, 404}
    assert b"root:" not in body
    assert b"Traceback" not in body
    connection.close()


def test_files_of_the_run_cannot_be_had(served: Served, run: Path) -> None:
    with client(served.url) as to:
        for path in (run / "run.json", run / "metrics.json"):
            assert to.get(f"/gradio_api/file={path}").status_code == 404
            refused = join(to, {"path": str(path), "meta": {"_type": "gradio.FileData"}}, "mine")
            assert refused.status_code == 400


class Trap(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 of the class, as servers make their handlers

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()


def test_no_path_and_no_address_of_a_request_is_opened(served: Served, clips: list[Path]) -> None:
    trap = HTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=trap.serve_forever, daemon=True).start()
    lure = f"http://127.0.0.1:{trap.server_port}/clip.wav"
    file = {"meta": {"_type": "gradio.FileData"}}
    before = len(watched(served))
    with client(served.url) as to:
        for value in (
            {"path": "/etc/passwd", **file},
            {"path": str(clips[0]), **file},
            {"path": lure, **file},
            {"path": "x", "url": lure, **file},
            {"path": "../" * 8 + "etc/passwd", **file},
            {"path": None, "url": lure, **file},
            str(clips[0]),
            None,
            [{"path": "/etc/passwd", **file}],
        ):
            refused = join(to, value, uuid.uuid4().hex)
            assert refused.status_code == 400, value
            assert refused.json() == {
                "detail": "the page does not make such a request; send a recording first"
            }
        token = upload(to, clips[0].read_bytes())
        session = uuid.uuid4().hex
        luring = {"path": token, "url": lure, "orig_name": "/etc/passwd", **file}
        assert join(to, luring, session).status_code == 200
        assert shares(answer(to, session))
        for other in (
            {"fn_index": 7},
            {"fn_index": "0"},
            {"session_hash": "a b"},
            {"data": []},
            {"data": [{"path": token, **file}]},
            {"explains": "yes"},
            {"explains": {"path": token}},
        ):
            refused = join(to, {"path": token, **file}, session, **other)
            assert refused.status_code == 400, other
        for path in ("/gradio_api/run/respond", "/gradio_api/call/respond", "/gradio_api/api/respond"):
            assert to.post(path, json={"data": [str(clips[0])]}).status_code == 404
    trap.shutdown()
    assert Trap.asked == []
    opened = [where for kind, where in watched(served)[before:] if kind == "read"]
    assert not [where for where in opened if where.endswith((".wav", "passwd"))]


def test_an_upload_is_answered_once_and_only_who_sent_it_knows_its_name(
    served: Served, clips: list[Path]
) -> None:
    content = clips[0].read_bytes()
    with client(served.url) as to:
        mine, other = upload(to, content), upload(to, content)
        assert mine != other
        assert to.get(f"/gradio_api/file={mine}").content == content
        session = uuid.uuid4().hex
        assert join(to, {"path": mine}, session).status_code == 200
        answer(to, session)
        assert to.get(f"/gradio_api/file={mine}").status_code == 404
        assert to.get(f"/gradio_api/file={other}").content == content
        assert join(to, {"path": mine}, session).status_code == 200
        assert "this recording is no longer available" in text(answer(to, session))


def test_what_is_no_recording_is_a_sentence_in_the_page(served: Served) -> None:
    with client(served.url) as to:
        shown = told(to, b"no recording at all", "notes.txt")
    assert "notes.txt : not readable as audio" in text(shown)
    assert "Traceback" not in shown
    assert 'role="alert"' in shown


def test_an_announced_giant_is_refused_before_it_is_sent(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {500 * MEGABYTE}\r\n\r\n--x\r\n".encode()
        )
        reply = b""
        while b"2 MB" not in reply and (more := line.recv(65_536)):
            reply += more
    assert reply.startswith(b"HTTP/1.1 413")
    assert b"this page accepts at most 2 MB" in reply


def test_sizes_that_are_not_announced_or_lied_about_are_refused(served: Served) -> None:
    with client(served.url) as to:
        endless = to.post(
            "/gradio_api/upload",
            content=iter([b"--x\r\n"] * 3),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert endless.status_code == 411
        just = to.post("/gradio_api/upload", files={"files": ("a.wav", bytes(2 * MEGABYTE))})
        assert just.status_code == 200
        more = to.post("/gradio_api/upload", files={"files": ("a.wav", bytes(2 * MEGABYTE + 1))})
        assert more.status_code == 413
        large = join(to, {"path": "A" * 100_000}, "mine")
        assert large.status_code == 413


@pytest.mark.slow
def test_uploads_of_all_users_share_a_bounded_memory(serve: Serve, run: Path) -> None:
    served = serve(run, "--port", 0, "--max-mb", 0.02)
    with client(served.url) as to:
        codes = [
            to.post("/gradio_api/upload", files={"files": ("a.wav", bytes(20_000))}).status_code
            for _ in range(20)
        ]
    assert 14 <= codes.count(200) <= 16
    assert {*codes} == {200, 503}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Host": "elsewhere.example"},
        {"Host": "elsewhere.example:7860", "Origin": "http://elsewhere.example:7860"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_pages_in_a_visitors_browser_may_not_ask(served: Served, headers: dict[str, str]) -> None:
    with client(served.url) as to:
        refused = to.post("/gradio_api/upload", files={"files": ("a.wav", b"1")}, headers=headers)
    assert refused.status_code == 403


def test_the_page_forbids_the_browser_to_ask_anybody_else(served: Served) -> None:
    with client(served.url) as to:
        reply = to.get("/")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    config = json.loads(reply.text.partition("window.gradio_config = ")[2].partition(";</script>")[0])
    assert config["analytics_enabled"] is False
    assert config["footer_links"] == []
    assert str(Path.home()) not in reply.text
    assert str(served.temporary) not in reply.text


@pytest.mark.slow
def test_a_failure_of_the_server_is_a_sentence_to_its_visitor(serve: Serve, run: Path) -> None:
    broken = (
        "import training.web.answer as a\n"
        "first = a.answer\n"
        "def fail(predictor, upload, limits, **other):\n"
        "    if upload.name != 'noise': raise RuntimeError('a secret')\n"
        "    return first(predictor, upload, limits, **other)\n"
        "a.answer = fail\n"
    )
    served = serve(run, "--port", 0, command=broken + COMMAND)
    with client(served.url) as to:
        shown = told(to, b"1")
    assert "the server failed; its terminal shows the cause" in text(shown)
    assert "secret" not in shown
    served.process.terminate()
    assert any("RuntimeError: a secret" in line for line in served.rest())


@pytest.mark.slow
def test_behind_a_proxy_the_page_speaks_of_its_public_address(
    serve: Serve, run: Path, clips: list[Path]
) -> None:
    public = "https://demo.example/voices"
    command = COMMAND
    served = serve(run, "--port", 0, "--public-url", public, command=command)
    assert served.url == public
    port = _listening_port(served)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as to:
        to.headers.update({"Host": "demo.example", "Origin": "https://demo.example"})
        assert f'"root":"{public}"' in to.get("/").text.replace("\\/", "/")
        assert shares(told(to, clips[0].read_bytes()))
        assert to.get("/", headers={"Origin": "https://other.example"}).status_code == 403


def _listening_port(served: Served) -> int:
    """Port that the process listens on, as the kernel tells it."""
    inodes = set()
    for link in Path(f"/proc/{served.process.pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError("it does not listen")


def test_a_long_recording_has_a_timeline(served: Served, clips: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    samples, rate = zip(*(soundfile.read(clip) for clip in clips[:7]), strict=True)
    soundfile.write(path, np.concatenate([*samples[:5], np.zeros(6 * rate[0]), *samples[5:]]), rate[0])
    with client(served.url) as to:
        shown = told(to, path.read_bytes(), "long.wav")
    assert shown.count("data:image/png;base64,") == 2
    assert "silence" in shown
    assert "Over time" in shown
