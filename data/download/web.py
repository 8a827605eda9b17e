"""Requests to a publisher's server: repeated while there is hope, one sentence where there is none."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from importlib.metadata import version
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from data.download.errors import DownloadError, PassingError
from schemas.errors import StoppedError

T = TypeVar("T")

BLOCK = 1 << 16
_SECONDS = (10.0, 30.0)
"""To connect, and between two blocks."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REASONS = {
    401: "asks for a login",
    403: "refuses access",
    404: "does not have it",
    410: "does not have it any more",
}


@dataclass(frozen=True)
class Patience:
    """How often to try in a row without a byte of progress, and how long to wait in between."""

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 120.0
    """A server that asks to wait longer (``Retry-After``) is left alone until the user comes back."""


class Web:
    """A client of one download; several threads may use it.

    ``tell`` gets a sentence whenever something is tried again.
    """

    def __init__(self, patience: Patience | None = None, tell: Callable[[str], None] | None = None) -> None:
        self._patience = patience or Patience()
        self._tell = tell
        self._stopping = threading.Event()
        self._sessions = threading.local()

    def stop(self) -> None:
        """Let requests that are under way, and waits between them, end soon with :class:`StoppedError`."""
        self._stopping.set()

    def require_going(self) -> None:
        """Raise :class:`StoppedError` once :meth:`stop` was called."""
        if self._stopping.is_set():
            raise StoppedError("stopped")

    def read_json(self, url: str, most_bytes: int) -> Any:
        """JSON document at ``url``. Raises :class:`DownloadError` for none, or more than ``most_bytes``."""
        return self.persist(lambda: self._json("GET", url, most_bytes, {}, None), url)

    def post_json(self, url: str, value: Any, headers: Mapping[str, str], most_bytes: int) -> Any:
        """JSON answer to a JSON document that is sent to ``url``; as :meth:`read_json` otherwise."""
        data = json.dumps(value).encode()
        return self.persist(lambda: self._json("POST", url, most_bytes, headers, data), url)

    def _json(
        self, method: str, url: str, most_bytes: int, headers: Mapping[str, str], data: bytes | None
    ) -> Any:
        body = bytearray()
        with self.answer(url, headers, method=method, data=data) as response:
            for block in blocks(response):
                self.require_going()
                body += block
                if len(body) > most_bytes:
                    raise DownloadError(
                        f"{url} answers with more than {most_bytes:,} bytes; look at it yourself"
                    )
        try:
            return json.loads(body)
        except ValueError as error:
            raise PassingError("the answer is not JSON") from error

    def persist(self, action: Callable[[], T], url: str) -> T:
        """What ``action`` returns, tried again after each :class:`PassingError`.

        Attempts are counted anew whenever bytes came. Raises :class:`DownloadError` once they are used up,
        and :class:`StoppedError` once :meth:`stop` was called.
        """
        host = urlsplit(url).netloc
        failures = 0
        while True:
            self.require_going()
            try:
                return action()
            except PassingError as error:
                failures = 1 if error.progressed else failures + 1
                wait = error.wait_s
                if wait is None:
                    wait = min(self._patience.longest_s, self._patience.first_s * 2 ** (failures - 1))
                if failures >= self._patience.attempts:
                    raise DownloadError(
                        f"{host}: {error}, {failures} times in a row; look at your connection, then run the "
                        f"same command again: what has come is kept"
                    ) from error
                if wait > self._patience.longest_s:
                    raise DownloadError(
                        f"{host}: {error}, and asks to be left alone for {wait:.0f} s; run the same command "
                        f"again after that: what has come is kept"
                    ) from error
                if self._tell is not None:
                    self._tell(f"{host}: {error}; trying again in {wait:.0f} s")
                self._stopping.wait(wait)

    @contextmanager
    def answer(
        self, url: str, headers: Mapping[str, str], *, method: str = "GET", data: bytes | None = None
    ) -> Iterator[requests.Response]:
        """Answer with a body to be read by :func:`blocks`: of status 200, 206 or 416.

        Raises :class:`PassingError` for what may pass, :class:`DownloadError` for what will not.
        """
        with _faults_named(url):
            response = self._session().request(
                method,
                url,
                headers={"Accept-Encoding": "identity", **headers},
                data=data,
                stream=True,
                timeout=_SECONDS,
            )
            with response:
                _require_usable(response, url)
                yield response

    def _session(self) -> requests.Session:
        if not hasattr(self._sessions, "own"):
            self._sessions.own = requests.Session()
            self._sessions.own.headers["User-Agent"] = f"ser-features/{version('ser-features')}"
        session: requests.Session = self._sessions.own
        return session


def blocks(response: requests.Response) -> Iterator[bytes]:
    """The body in pieces of up to :data:`BLOCK` bytes, each as soon as it is there.

    So nothing that came is lost when the connection breaks, as it would be by ``iter_content``, which waits
    for whole blocks. Raises :class:`PassingError` for a connection that breaks.
    """
    while True:
        try:
            block: bytes = response.raw.read1(BLOCK, decode_content=True)
        except (HTTPError, HTTPException, OSError) as error:
            raise PassingError("the connection broke") from error
        if not block:
            return
        yield block


@contextmanager
def _faults_named(url: str) -> Iterator[None]:
    """Sort the faults of a connection into passing and lasting ones."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DownloadError(
            f"{urlsplit(url).netloc} does not prove who it is ({error}); do not go on"
        ) from error
    except requests.exceptions.Timeout as error:
        raise PassingError("no answer in time") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise PassingError("the connection broke") from error
    except requests.exceptions.ConnectionError as error:
        raise PassingError("no connection") from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(f"cannot fetch {url}: {error}") from error


def _require_usable(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
        return
    if status in _PASSING:
        raise PassingError(f"the server answers {status}", _wait_asked_for(response))
    reason = _REASONS.get(status, f"answers {status}")
    raise DownloadError(
        f"{urlsplit(url).netloc} {reason}: {urlsplit(url)._replace(query='').geturl()} ({status}); look at "
        f"the corpus's home page whether it has moved"
    )


def _wait_asked_for(response: requests.Response) -> float | None:
    """Seconds of ``Retry-After``, which is a number of them or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
