"""Attacks on the server of the page: malformed requests, other sites, unknown sessions, sleeping uploads."""

from __future__ import annotations

import asyncio
import re
import socket
import time
import uuid
from pathlib import Path

import pytest

from tests.training.web.asking import answer, client, join, shares, text, told, upload
from tests.training.web.conftest import Served
from training.http.origin import OwnAddress
from training.http.protocol import Message, Receive, Scope, Send
from training.web.gate import Gate
from training.web.sessions import Sessions
from training.web.uploads import Uploads

pytestmark = pytest.mark.slow  # a server of its own takes a minute


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
            assert [reply.status_code for reply in replies] == [200, 409, 409]
            for reply in replies:
                reply.close()
        assert shares(told(to, clips[0].read_bytes()))


def test_an_answer_that_nobody_waits_for_is_not_made(served: Served, clips: list[Path]) -> None:
    with client(served.url) as to:
        session = uuid.uuid4().hex
        token = upload(to, clips[0].read_bytes())
        assert join(to, {"path": token}, session).status_code == 200
        while to.get(f"/gradio_api/file={token}").status_code == 200:
            time.sleep(0.1)
        assert "nobody waited for it; send the recording again" in text(answer(to, session))


def test_uploads_that_send_nothing_keep_nobody_out(served: Served, clips: list[Path]) -> None:
    announced = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {2**21}\r\n\r\n--x\r\n"
    ).encode()
    with client(served.url) as to:
        asleep = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(60)]
        for line in asleep:
            line.sendall(announced)  # three times all the room
        assert shares(told(to, clips[0].read_bytes()))
        for line in asleep:
            line.close()
        assert shares(told(to, clips[0].read_bytes()))


def test_a_request_that_pauses_is_ended() -> None:
    async def ask(path: str, kind: str) -> tuple[int, bytes]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        headers = {"host": "localhost", "content-length": "9", "content-type": kind}
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        gate = Gate(_no_page, Uploads(100), Sessions(), 100, OwnAddress.of("localhost", None))
        await gate(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.http.body.PAUSE_S", 0.01)
        upload_reply = asyncio.run(ask("/gradio_api/upload", "multipart/form-data; boundary=x"))
        assert upload_reply == (400, b'{"detail": "the upload stopped; send the recording again"}')
        assert asyncio.run(ask("/gradio_api/queue/join", "application/json"))[0] == 400


async def _no_page(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("this must not reach the page")
