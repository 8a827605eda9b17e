"""Clients that leave or stop reading while they are answered: no traceback, and nothing waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from training.http.protocol import Message, Receive, Scope, Send
from training.serve import door as door_module
from training.serve.account import Account
from training.serve.door import Door
from training.serve.refusal import RefusedError
from training.serve.service import ServeRequest, open_service, uvicorn_config
from training.serve.tokens import Tokens


@pytest.fixture(scope="module")
def door(run: Path) -> Iterator[Door]:
    with open_service(ServeRequest((run,), device="cpu", logs=False), Tokens()) as opened:
        assert isinstance(opened.door, Door)
        yield opened.door


def ask(door: Door, query: str, messages: list[Message], send: Send) -> Account:
    """The account of a stream of ``messages``, after which the client sends nothing more."""
    accounts: list[Account] = []
    coming = iter([{"type": "websocket.connect"}, *messages])

    async def receive() -> Message:
        for message in coming:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    scope: Scope = {
        "type": "websocket",
        "path": "/v1/stream",
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "extensions": {"websocket.http.response": {}},
    }
    asyncio.run(replace(door, write_log=accounts.append)(scope, receive, send))
    return accounts[0]


def test_a_client_that_leaves_while_rows_are_sent_is_no_failure(
    door: Door, clips: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    samples, rate = soundfile.read(clips[5], dtype="int16")

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            raise OSError("the connection is closed")

    with caplog.at_level(logging.ERROR):
        account = ask(door, f"rate={rate}", [{"type": "websocket.receive", "bytes": samples.tobytes()}], send)
    assert account.status == 499
    assert caplog.records == []


def test_a_refusal_does_not_wait_for_a_client_that_reads_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "_REFUSAL_S", 0.01)

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise RefusedError(408, "no row was taken")

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()

    assert ask(replace(door, inside=refuse), "rate=16000", [], send).status == 408


def test_pings_do_not_end_a_stream_that_sends_faster_than_the_model_computes(door: Door) -> None:
    config = uvicorn_config(door, ServeRequest(()))
    assert config.ws_ping_interval is None
    assert config.ws_ping_timeout is None
