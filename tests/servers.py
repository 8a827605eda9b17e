"""Real servers on loopback, as context managers: S3, the web, SFTP, and a proxy that spoils answers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import re
import shutil
import socket
import struct
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Environment for :func:`s3_server`, beside ``AWS_ENDPOINT_URL``."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Moto's S3 behind a real HTTP server. Gives its address; see :data:`AWS`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@dataclass
class Web:
    """A web server for the files of a folder."""

    root: Path
    ranges: bool = True
    """Whether it heeds Range, or sends the whole file whatever is asked."""
    url: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of all requests."""
    special: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    """Path → what to answer instead; called with the request's handler."""


@contextmanager
def web_server(root: Path, *, ranges: bool = True) -> Iterator[Web]:
    """Serve the files of ``root``, read-only."""
    web = Web(root, ranges)
    with _serving(partial(_WebHandler, web)) as url:
        web.url = url
        yield web


@dataclass
class Proxy:
    """Passes requests on to a server and spoils those answers that it is told to spoil."""

    upstream: str
    url: str = ""
    faults: deque[str | None] = field(default_factory=deque)
    """What to do with the next requests: a status like ``503``, ``SlowDown`` (S3's words for it), ``reset``
    (the connection, instead of an answer), ``cut`` (half of the body), ``stall`` (half of the body, then
    nothing for a while); None: nothing."""
    only: str = ""
    """A method; requests of others pass and use up no fault."""
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and bytes sent along, of all requests."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Begin anew: no faults, no requests."""
        with self.lock:
            self.faults.clear()
            self.requests.clear()

    def sent(self) -> int:
        """Bytes that clients sent along in all."""
        with self.lock:
            return sum(size for _, _, size in self.requests)


@contextmanager
def proxy_server(upstream: str) -> Iterator[Proxy]:
    """A proxy before the server at ``upstream``, an address with http."""
    proxy = Proxy(upstream)
    with _serving(partial(_ProxyHandler, proxy)) as url:
        proxy.url = url
        yield proxy


@dataclass
class Sftp:
    """An SFTP server for this machine's files."""

    port: int
    known_hosts: str
    """The line for ``~/.ssh/known_hosts``."""
    connections: list[Any] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    def url(self, path: Path) -> str:
        """The URL of a folder."""
        return f"sftp://127.0.0.1:{self.port}{path}"

    def drop_connections(self) -> None:
        """End all sessions without a word, as a restart would."""
        assert self.loop is not None
        for connection in self.connections:
            self.loop.call_soon_threadsafe(connection.abort)
        self.connections.clear()


@contextmanager
def sftp_server(*, shell: bool = True, password: str | None = None) -> Iterator[Sftp]:
    """SFTP on loopback; with ``shell``, commands are run, too. Anybody may log in if there is no password."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    started = threading.Event()
    found: list[Sftp] = []
    loop = asyncio.new_event_loop()

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: Any) -> None:
            found[0].connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return password is not None

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password_given: str) -> bool:
            return password_given == password

    async def run(process: Any) -> None:
        command = await asyncio.create_subprocess_shell(
            process.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await command.communicate()
        process.stdout.write(out.decode())
        process.stderr.write(err.decode())
        process.exit(command.returncode)

    async def listen() -> Any:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[key],
            sftp_factory=True,
            process_factory=run if shell else None,
        )
        port = listener.get_port()
        line = f"[127.0.0.1]:{port} {key.export_public_key().decode()}"
        found.append(Sftp(port, line, loop=loop))
        started.set()
        return listener

    def serve() -> None:
        asyncio.set_event_loop(loop)
        listener = loop.run_until_complete(listen())
        loop.run_forever()
        listener.close()
        loop.run_until_complete(listener.wait_closed())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        found[0].drop_connections()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextmanager
def s3_clients_at(address: str) -> Iterator[None]:
    """Let this process, and those that it starts, find S3 at ``address``, with the keys of :data:`AWS`."""
    from s3fs import S3FileSystem

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
            patch.delenv(name)
        for name, value in {**AWS, "AWS_ENDPOINT_URL": address}.items():
            patch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        yield
        S3FileSystem.clear_instance_cache()


def point_s3_clients(address: str) -> None:
    """Let clients within :func:`s3_clients_at` find S3 at ``address``, also if another one was set later."""
    from s3fs import S3FileSystem

    if os.environ["AWS_ENDPOINT_URL"] != address:
        S3FileSystem.clear_instance_cache()
        os.environ["AWS_ENDPOINT_URL"] = address


def new_bucket(address: str) -> str:
    """Make a bucket at an S3 server of ours, which asks for no signature. Returns its name."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
    return name


@contextmanager
def sftp_client_of(server: Sftp, home: Path) -> Iterator[None]:
    """Let this process, and those that it starts, trust ``server``; ``home`` stands for the user's."""
    from sshfs import SSHFileSystem

    with pytest.MonkeyPatch.context() as patch:
        (home / ".ssh").mkdir(parents=True, exist_ok=True)
        (home / ".ssh" / "known_hosts").write_text(server.known_hosts)
        patch.setenv("HOME", str(home))
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        SSHFileSystem.clear_instance_cache()
        yield
        SSHFileSystem.clear_instance_cache()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def _serving(handler: Any) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def reset(self) -> None:
        """End the connection with RST, as a crash would."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


class _WebHandler(_Handler):
    def __init__(self, web: Web, *args: Any) -> None:
        self.web = web
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        wanted = self.headers.get("Range", "")
        self.web.requests.append((self.command, path, wanted))
        if path in self.web.special:
            self.web.special[path](self)
            return
        file = self.web.root / path.lstrip("/")
        if not file.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = file.stat().st_size
        begin, end = 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted) if self.web.ranges else None
        if asked:
            begin = int(asked[1])
            end = min(int(asked[2]) + 1, size) if asked[2] else size
            if begin >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        if self.command == "GET":
            with file.open("rb") as opened:
                opened.seek(begin)
                shutil.copyfileobj(opened, self.wfile)


class _ProxyHandler(_Handler):
    def __init__(self, proxy: Proxy, *args: Any) -> None:
        self.proxy = proxy
        super().__init__(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def _pass_on(self) -> None:
        body = self._body()
        with self.proxy.lock:
            self.proxy.requests.append((self.command, self.path, len(body)))
            due = self.proxy.faults and self.proxy.only in ("", self.command)
            fault = self.proxy.faults.popleft() if due else None
        if fault is not None and fault.isdigit():
            self._send(int(fault), {}, b"")
        elif fault == "SlowDown":
            self._send(
                503, {}, b"<Error><Code>SlowDown</Code><Message>reduce your request rate</Message></Error>"
            )
        elif fault == "reset":
            self.reset()
        else:
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: str | None) -> None:
        upstream = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _OF_THE_HOP}
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            data = answer.read()
            self._send(answer.status, dict(answer.getheaders()), data, fault)

    def _send(self, status: int, headers: dict[str, str], data: bytes, fault: str | None = None) -> None:
        self.send_response_only(status)
        kept = {key: value for key, value in headers.items() if key.lower() not in _OF_THE_HOP}
        length = kept.pop("Content-Length", None) if self.command == "HEAD" else str(len(data))
        kept.pop("Content-Length", None)
        for key, value in kept.items():
            self.send_header(key, value)
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if fault in ("cut", "stall") and len(data) > 1:
            self.wfile.write(data[: len(data) // 2])
            if fault == "stall":
                threading.Event().wait(3)
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)


_OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "te", "trailer", "upgrade"}
