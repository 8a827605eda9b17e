"""Attacks on the server of the page: malformed requests, other sites, unknown sessions, slow uploads."""

from __future__ import annotations

import re
import socket
import uuid
from pathlib import Path

import pytest

from tests.training.web.asking import client, join, shares, told, upload
from tests.training.web.conftest import Served


def exchange(served: Served, *lines: str, body: bytes = b"") -> bytes:
    """Send a request as it stands and return the reply's first bytes; empty if the connection was closed."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall("\r\n".join((*lines, "", "")).encode("latin-1") + body)
        try:
            return line.recv(65_536)
        except ConnectionResetError:
            return b""


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
