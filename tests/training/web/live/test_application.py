"""Which requests the live page's server answers: those of its own page, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from training.http.origin import OwnAddress
from training.predict.ensemble import Ensemble
from training.predict.predictor import Predictor
from training.web.asgi import Message, Scope
from training.web.facts import Facts
from training.web.limits import Limits
from training.web.live.application import LiveApplication
from training.web.live.page import live_files

PUBLIC = "https://lab.example/voices"
OWN = {"host": "127.0.0.1:7860"}


@pytest.fixture(scope="module")
def application(run: Path) -> LiveApplication:
    predictor = Predictor.open(run, "cpu")
    model, limits = Ensemble.of(run, predictor), Limits(users=1, max_seconds=120)
    files = live_files(model, Facts.of(run, predictor), limits)
    return LiveApplication(model, files, limits, OwnAddress.of("127.0.0.1", PUBLIC))


def ask(application: LiveApplication, scope: Scope, *messages: Message) -> list[Message]:
    """What the application sends; after ``messages`` its visitor is gone."""
    sent: list[Message] = []
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming, {"type": f"{scope['type']}.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent


def scope(kind: str, path: str, headers: dict[str, str], **others: str) -> Scope:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": kind, "path": path, "headers": encoded, **others}


def get(application: LiveApplication, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in {**OWN, **headers}.items()}
    start, body = ask(application, scope("http", path, named, method=method))
    return start["status"], body["body"].decode()


def shake(application: LiveApplication, path: str = "/stream", **headers: str) -> str:
    """The answer to the handshake of a WebSocket: ``websocket.accept`` or ``websocket.close``."""
    found = ask(application, scope("websocket", path, {**OWN, **headers}), {"type": "websocket.connect"})
    return str(found[0]["type"])


def test_the_page_and_all_that_it_names_are_there_and_nothing_is_inline(application: LiveApplication) -> None:
    status, page = get(application, "/")
    assert status == 200
    assert "speaker-independent (protocol: speaker)" in page
    assert "listens for 120 s at most" in page
    named = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert named == ["live.css", "live.js"]
    for path in [*named, "timeline.js", "microphone.js"]:
        status, content = get(application, f"/{path}")
        assert status == 200
        assert "http:" not in content
        assert "https:" not in content.replace('"https:"', "")
    assert not re.search(r"<script>|style=| on\w+=", page)
    (start, _) = ask(application, scope("http", "/", OWN, method="GET"))
    policy = dict(start["headers"])[b"content-security-policy"].decode()
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/stream", "GET"),
        ("/", "POST"),
        ("/live.html", "GET"),
        ("/../live.css", "GET"),
        ("/templates/live.js", "GET"),
    ],
)
def test_nothing_else_is_there(application: LiveApplication, path: str, method: str) -> None:
    assert get(application, path, method) == (404, json.dumps({"detail": "there is nothing here"}))


def test_other_pages_get_no_file(application: LiveApplication) -> None:
    assert get(application, "/live.js", origin="https://elsewhere.example")[0] == 403
    assert get(application, "/live.js", sec_fetch_site="cross-site")[0] == 403
    assert get(application, "/", host="elsewhere.example:7860")[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:7860"},
        {},  # not a browser, which always says its origin
        {"host": "localhost:7860", "origin": "http://localhost:7860"},
        {"host": "lab.example", "origin": "https://lab.example"},
    ],
)
def test_its_own_page_may_listen(application: LiveApplication, headers: dict[str, str]) -> None:
    assert shake(application, **headers) == "websocket.accept"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},  # another server of this machine
        {"origin": "http://localhost:7860"},
        {"host": "elsewhere.example:7860", "origin": "http://elsewhere.example:7860"},
        {"origin": "http://127.0.0.1:7860.elsewhere.example"},
    ],
)
def test_no_other_page_may_listen(application: LiveApplication, headers: dict[str, str]) -> None:
    assert shake(application, **headers) == "websocket.close"


def test_there_is_no_other_websocket(application: LiveApplication) -> None:
    assert shake(application, "/other") == "websocket.close"
