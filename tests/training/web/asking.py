"""What the page's JavaScript asks a server for, by plain HTTP."""

from __future__ import annotations

import html
import json
import re
import uuid
from typing import Any

import httpx


def client(url: str) -> httpx.Client:
    # Without verify=False, every client reads all certificates, for servers that have none.
    return httpx.Client(base_url=url, timeout=120, trust_env=False, verify=False)


def upload(to: httpx.Client, content: bytes, name: str = "clip.wav") -> str:
    reply = to.post("/gradio_api/upload", files={"files": (name, content)})
    assert reply.status_code == 200, reply.text
    (token,) = reply.json()
    return str(token)


def join(to: httpx.Client, file: Any, session: str, *, explains: Any = False, **other: Any) -> httpx.Response:
    question = {"data": [file, explains], "fn_index": 0, "session_hash": session, **other}
    return to.post("/gradio_api/queue/join", json=question)


def answer(to: httpx.Client, session: str) -> str:
    """HTML that the session gets next; the place for a recording must come back empty."""
    with to.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    assert message["success"], message
                    place, shown = message["output"]["data"]
                    assert place is None
                    return str(shown)
    raise AssertionError("the stream ended without an answer")


def told(to: httpx.Client, content: bytes, name: str = "clip.wav", *, explains: bool = False) -> str:
    """HTML of the answer to a recording."""
    session = uuid.uuid4().hex
    token = upload(to, content, name)
    file = {"path": token, "meta": {"_type": "gradio.FileData"}}
    assert join(to, file, session, explains=explains).status_code == 200
    return answer(to, session)


def text(markup: str) -> str:
    """What a reader sees of HTML, without its pictures."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def shares(markup: str) -> dict[str, int]:
    """Emotion → % of the bars."""
    rows = re.findall(r'<tr><th scope="row">([a-z]+)</th>.*?<td>(\d+) %</td></tr>', markup)
    return {emotion: int(share) for emotion, share in rows}
