"""Every route of Gradio's own table, with every method: only what the page needs gets past the gate."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from tests.training.web.asking import client
from tests.training.web.conftest import Served

pytestmark = pytest.mark.slow  # a server of its own takes a minute

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

READ = {
    "/",
    "/config",
    "/theme.css",
    "/manifest.json",
    "/favicon.ico",
    "/gradio_api/startup-events",
    "/gradio_api/heartbeat/{session_hash}",
    "/gradio_api/upload_progress",
}
"""Routes that the page reads, by GET and HEAD."""

WRITTEN = {
    "/gradio_api/upload",
    "/gradio_api/queue/join",
    "/gradio_api/cancel",
    "/gradio_api/reset",
}
"""Routes that it writes to, by POST."""

NAMED = {
    "/assets/{path:path}",
    "/static/{path:path}",
    "/gradio_api/queue/data",
    "/gradio_api/file={path_or_url:path}",
}
"""Routes that it reads, where nothing has the name that this test makes up."""


def table(served: Served) -> list[str]:
    """Paths of all routes, with their parameters in braces."""
    routes = json.loads((served.temporary.parent / "routes.json").read_text())
    return sorted({path or "/" for path, _ in routes})


def asked(to: httpx.Client, method: str, path: str) -> httpx.Response:
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else None
    with to.stream(method, path, content=body, timeout=30) as reply:
        if "event-stream" not in reply.headers.get("content-type", ""):  # one without an end
            reply.read()
        return reply


def test_the_table_has_the_routes_of_the_page(served: Served) -> None:
    found = set(table(served))
    assert found >= READ | WRITTEN | NAMED
    assert len(found) > 60


def test_no_other_route_and_no_other_method_gets_past_the_gate(served: Served) -> None:
    passed = {("/", "GET"), ("/", "HEAD")}
    passed |= {(path, method) for path in READ for method in ("GET", "HEAD")}
    passed |= {(path, "POST") for path in WRITTEN}
    wrong = []
    with client(served.url) as to:
        for path in table(served):
            filled = re.sub(r"\{[^}]*\}", "x", path)
            for method in METHODS:
                reply = asked(to, method, filled)
                if (path, method) in passed:
                    right = reply.status_code < 500 and reply.status_code != 404
                elif path in NAMED or method == "HEAD":
                    right = reply.status_code in {404, 405}
                else:
                    right = (reply.status_code, reply.json()) == (404, {"detail": "there is nothing here"})
                if not right:
                    wrong.append((method, path, reply.status_code))
    assert wrong == []
