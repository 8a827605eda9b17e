"""A web server on loopback for the files of a folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.serving import Handler, serving


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
    with serving(partial(_WebHandler, web)) as url:
        web.url = url
        yield web


class _WebHandler(Handler):
    def __init__(self, web: Web, *args: Any) -> None:
        self.web = web
        super().__init__(*args)

    def do_HEAD(self) -> None:  # noqa: N802 named by http.server
        self._answer()

    def do_GET(self) -> None:  # noqa: N802 named by http.server
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
