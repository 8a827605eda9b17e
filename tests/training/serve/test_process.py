"""``ser-serve`` as a process: what it writes and contacts, how it ends, and what many requests leave."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.training.serve.conftest import Asked

pytestmark = pytest.mark.slow  # a process of its own takes ten seconds

TOKEN = "a-token-of-the-test"

WATCHED = """
import ctypes, gc, os, signal, sys
log = os.open(os.environ["TMPDIR"] + "/../watched-service", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
def watch(event, args):
    if event == "socket.connect" and not isinstance(args[1], (str, bytes)):
        os.write(log, f"connect {args[1][0]}\\n".encode())
    elif event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(log, f"write {args[0]}\\n".encode())
def tidy(*_):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    os.write(log, b"tidied memory\\n")
signal.signal(signal.SIGUSR1, tidy)
sys.addaudithook(watch)
from training.cli.serve import main; main()
"""
"""Notes what is opened for writing and who is contacted. At SIGUSR1 it frees what can be freed."""


@dataclass(frozen=True)
class Watched:
    asked: Asked
    process: subprocess.Popen[str]
    temporary: Path

    @property
    def seen(self) -> list[str]:
        return (self.temporary.parent / "watched-service").read_text().splitlines()

    def kept_mb(self) -> float:
        """Memory without garbage that is not collected yet, and without the allocator's reserve."""
        before = self.seen.count("tidied memory")
        self.process.send_signal(signal.SIGUSR1)
        while self.seen.count("tidied memory") == before:
            time.sleep(0.02)
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024


@contextmanager
def watched(run: Path, tmp_path: Path, *options: str) -> Iterator[Watched]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "SER_SERVE_TOKEN": TOKEN}
    command = [sys.executable, "-c", WATCHED, str(run), "--port", "0", "--device", "cpu", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[0]
            yield Watched(Asked(url), process, temporary)
        finally:
            if process.poll() is None:
                process.kill()


async def ask_many(port: int, request: bytes, count: int, clients: int) -> Counter[bytes]:
    """Send the same request again and again from ``clients`` connections; first lines of the answers."""
    lines: Counter[bytes] = Counter()
    left = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            body = await reader.readexactly(int(length[1]))
            lines[head.partition(b"\r\n")[0] + (b" with emotion" if b'"emotion"' in body else b"")] += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return lines


def test_two_thousand_requests_are_answered_in_flat_memory_and_leave_nothing(
    run: Path, clips: list[Path], tmp_path: Path
) -> None:
    samples, rate = soundfile.read(clips[0], dtype="int16")
    short = tmp_path / "secret-name.wav"
    soundfile.write(short, samples[: rate // 2], rate)
    content = short.read_bytes()
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: audio/wav\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    request = head.encode() + content
    answered = b"HTTP/1.1 200 OK with emotion"
    with watched(run, tmp_path) as service:
        errors: list[str] = []
        assert service.process.stderr is not None
        reader = threading.Thread(target=lambda: errors.extend(service.process.stderr))
        reader.start()
        port = service.asked.port
        assert asyncio.run(ask_many(port, request, 1000, 16)) == {answered: 1000}
        before = service.kept_mb()
        assert asyncio.run(ask_many(port, request, 1000, 16)) == {answered: 1000}
        assert service.kept_mb() - before < 10
        with service.asked.client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            files = {"file": (short.name, content)}
            assert client.post("/v1/predict", files=files).status_code == 200
            metrics = client.get("/metrics").text
        assert 'ser_requests_total{route="/v1/predict",status="200"} 2001.0' in metrics
        address = f"ws://127.0.0.1:{port}/v1/stream?rate={rate}"
        token = {"Authorization": f"Bearer {TOKEN}"}
        with connect(address, additional_headers=token, proxy=None) as stream:
            stream.send(samples.tobytes())
            assert json.loads(stream.recv(60))["emotion"]
            service.process.send_signal(signal.SIGINT)
            assert service.process.wait(60) == 0
            with pytest.raises(ConnectionClosed):
                list(iter(partial(stream.recv, 60), None))
            assert stream.close_code == 1012  # the service restarts
        reader.join()
    assert [path for path in service.temporary.rglob("*") if path.is_file()] == []
    after_start = service.seen[service.seen.index("tidied memory") :]
    assert {line for line in after_start if not line.startswith("tidied")} == set()
    assert not [line for line in service.seen if line.startswith("connect")]
    notes, lines = [], []
    for line in errors:
        (lines if line.startswith("{") else notes).append(line)
    assert [line for line in notes if not line.startswith("note: ")] == []
    logged = [json.loads(line) for line in lines]
    assert len(logged) == 2003
    assert {*logged[0]} == {"time", "route", "status", "ms", "bytes", "clips", "rows", "audio_s"}
    assert "secret-name" not in "".join(errors)
    assert TOKEN not in "".join(errors)


def test_a_signal_lets_requests_in_progress_finish_and_refuses_others(
    run: Path, clips: list[Path], tmp_path: Path
) -> None:
    content = clips[0].read_bytes()
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )

    async def half() -> bytes:
        """Send half of a request, the signal, and the rest."""
        reader, writer = await asyncio.open_connection("127.0.0.1", service.asked.port)
        writer.write(head.encode() + content[:1000])
        await writer.drain()
        while not in_flight():
            await asyncio.sleep(0.02)
        service.process.send_signal(signal.SIGTERM)
        while is_listening():
            await asyncio.sleep(0.02)
        writer.write(content[1000:])
        return await reader.read()

    def in_flight() -> bool:
        with service.asked.client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            return "ser_requests_in_flight 2.0" in client.get("/metrics").text

    def is_listening() -> bool:
        try:
            with service.asked.client() as client:
                return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    with watched(run, tmp_path, "--no-log") as service:
        answer = asyncio.run(half())
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"emotion"' in answer
        assert service.process.wait(60) == 0
        assert service.process.stderr is not None
        said = service.process.stderr.read()
    assert [line for line in said.splitlines() if not line.startswith("note: ")] == []
