"""A web server on loopback that speaks as Zenodo, Dataverse and GitHub do, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import threading
import time
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Publisher:
    """Bodies by path. ``faults`` befall the next requests whose path holds ``only``, one each; None: none.

    A fault is a status (``503``), one with the wait it asks for (``429:2``), ``cut`` (half of the body, then
    the connection ends), ``reset`` (it ends at once), ``long`` and ``short`` (one byte more, or ten
    fewer, than there are), ``longer`` (60 MB more, without a length), ``other`` (as many other bytes).
    """

    bodies: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    etags: bool = True
    only: str = ""
    faults: deque[str | None] = field(default_factory=deque)
    bytes_a_second: float | None = None
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if path in request.path]


@contextmanager
def publishing(publisher: Publisher) -> Iterator[Publisher]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, publisher))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    publisher.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, publisher: Publisher, *args: Any) -> None:
        self.publisher = publisher
        super().__init__(*args)

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self._note(body)
        if fault is not None:
            self._fail(fault)
            return
        wanted = json.loads(body)
        answer = {"transfer": "basic", "objects": [self._object(each) for each in wanted["objects"]]}
        self._answer(200, json.dumps(answer).encode(), {"Content-Type": "application/vnd.git-lfs+json"})

    def do_GET(self) -> None:
        fault = self._note(b"")
        whole = self.publisher.bodies.get(urlsplit(self.path).path)
        if whole is None:
            self._fail("404")
        elif fault == "other":
            self._answer(200, bytes(255 - byte for byte in whole), {})
        elif fault == "long":
            self._answer(200, whole + b"x", {})
        elif fault == "short":
            self._answer(200, whole[:-10], {})
        elif fault == "longer":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(OSError):
                for block in (whole, *[bytes(1 << 16)] * 1_000):
                    self.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
                    self.publisher.sent += len(block)
                self.wfile.write(b"0\r\n\r\n")
        elif fault not in {None, "cut"}:
            self._fail(fault)
        else:
            self._give(whole, cut=fault == "cut")

    def _give(self, whole: bytes, *, cut: bool) -> None:
        etag = f'"{hashlib.sha1(whole).hexdigest()}"'
        headers = {"ETag": etag} if self.publisher.etags else {}
        asked, unless = self.headers.get("Range"), self.headers.get("If-Range")
        if asked and self.publisher.ranges and unless in {None, etag}:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
            self._answer(206, whole[start:], headers, cut=cut)
        else:
            self._answer(200, whole, headers, cut=cut)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        publisher = self.publisher
        with publisher.lock:
            publisher.busy += 1
            publisher.busiest = max(publisher.busiest, publisher.busy)
        try:
            self._send(body[: len(body) // 2] if cut else body)
        except OSError:
            cut = True
        finally:
            with publisher.lock:
                publisher.busy -= 1
        if cut:
            self.close_connection = True

    def _send(self, body: bytes) -> None:
        rate = self.publisher.bytes_a_second
        step = len(body) if rate is None else max(1, int(rate / 50))
        for first in range(0, len(body), max(1, step)):
            self.wfile.write(body[first : first + step])
            with self.publisher.lock:
                self.publisher.sent += len(body[first : first + step])
            if rate is not None:
                time.sleep(0.02)

    def _note(self, body: bytes) -> str | None:
        publisher = self.publisher
        with publisher.lock:
            publisher.requests.append(Request(self.command, self.path, dict(self.headers), body))
            if publisher.faults and publisher.only in self.path:
                return publisher.faults.popleft()
        return None

    def _fail(self, fault: str) -> None:
        if fault == "reset":
            self.close_connection = True
            return
        status, _, wait = fault.partition(":")
        self.send_response(int(status))
        if wait:
            self.send_header("Retry-After", wait)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _object(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        path = f"/objects/{wanted['oid']}"
        if path not in self.publisher.bodies:
            return {**wanted, "error": {"code": 404, "message": "Object does not exist"}}
        action = {"href": f"{self.publisher.url}{path}", "header": {"X-Token": "t0"}, "expires_in": 300}
        return {**wanted, "authenticated": True, "actions": {"download": action}}


def zipped(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return data.getvalue()


def zenodo(archive: bytes) -> Publisher:
    """RAVDESS's record, in the form of https://zenodo.org/api/records/1188976."""
    name = "Audio_Speech_Actors_01-24.zip"
    entry = {
        "id": "0", "key": name, "size": len(archive), "checksum": f"md5:{hashlib.md5(archive).hexdigest()}",
        "links": {"self": f"https://zenodo.org/api/records/1188976/files/{name}/content"},
    }  # fmt: skip
    song = {**entry, "key": "Audio_Song_Actors_01-24.zip"}
    record = {"id": 1188976, "doi": "10.5281/zenodo.1188976", "files": [song, entry]}
    return Publisher(
        {
            "/api/records/1188976": json.dumps(record).encode(),
            f"/api/records/1188976/files/{name}/content": archive,
        },
        only="/content",
    )


def dataverse(files: Mapping[str, bytes]) -> Publisher:
    """TESS's data set, in the form of Dataverse's native API; ``folder/name`` gives a directoryLabel."""
    entries, bodies = [], {}
    for number, (path, body) in enumerate(files.items(), start=100):
        folder, _, label = path.rpartition("/")
        md5 = hashlib.md5(body).hexdigest()
        data_file = {
            "id": number, "filename": label, "contentType": "audio/x-wav", "filesize": len(body), "md5": md5,
            "checksum": {"type": "MD5", "value": md5},
        }  # fmt: skip
        entry = {"label": label, "restricted": False, "version": 1, "dataFile": data_file}
        entries.append(entry | ({"directoryLabel": folder} if folder else {}))
        bodies[f"/api/access/datafile/{number}"] = body
    answer = {"status": "OK", "data": {"id": 1, "versionState": "RELEASED", "files": entries}}
    listing = "/api/datasets/:persistentId/versions/:latest-published"
    return Publisher({listing: json.dumps(answer).encode(), **bodies}, only="/datafile/")


def git_lfs(files: Mapping[str, bytes], table: bytes) -> Publisher:
    """CREMA-D's repository: its archive with pointers, and the objects."""
    members = {"CREMA-D-master/VideoDemographics.csv": table, "CREMA-D-master/README.md": b"CREMA-D"}
    bodies = {}
    for path, body in files.items():
        oid = hashlib.sha256(body).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(body)}\n"
        members[f"CREMA-D-master/{path}"] = pointer.encode()
        members[f"CREMA-D-master/AudioMP3/{path.rpartition('/')[2]}.mp3"] = pointer.encode()
        bodies[f"/objects/{oid}"] = body
    archive = "/CheyneyComputerScience/CREMA-D/zip/refs/heads/master"
    return Publisher({archive: zipped(members), **bodies}, only="/objects/")
