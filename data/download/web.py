"""Requests to the server of a publisher, repeated after temporary faults."""

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
"""Timeouts for connecting, and between two blocks."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REASONS = {
    401: "asks for a login",
    403: "refuses access",
    404: "does not have it",
    410: "no longer has it",
}


@dataclass(frozen=True)
class DownloadPatience:
    """How often to try without receiving a byte, and how long to wait between attempts."""

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 120.0
    """Longest wait. If the server asks for more (``Retry-After``), the download ends."""


class Web:
    """HTTP client of one download; may be used by several threads.

    ``notify`` is called with a message before each repeated attempt.
    """

    def __init__(
        self, patience: DownloadPatience | None = None, notify: Callable[[str], None] | None = None
    ) -> None:
        self._patience = patience or DownloadPatience()
        self._notify = notify
        self._stopping = threading.Event()
        self._sessions = threading.local()

    def stop(self) -> None:
        """Make running requests and waits end soon with :class:`StoppedError`."""
        self._stopping.set()

    def require_going(self) -> None:
        """Raise :class:`StoppedError` if :meth:`stop` was called."""
        if self._stopping.is_set():
            raise StoppedError("stopped")

    def read_json(self, url: str, most_bytes: int) -> Any:
        """Fetch a JSON document. Raises :class:`DownloadError` if it fails or exceeds ``most_bytes``."""
        return self.persist(lambda: self._json("GET", url, most_bytes, {}, None), url)

    def post_json(self, url: str, value: Any, headers: Mapping[str, str], most_bytes: int) -> Any:
        """Post a JSON document and return the JSON response, with the errors of :meth:`read_json`."""
        data = json.dumps(value).encode()
        return self.persist(lambda: self._json("POST", url, most_bytes, headers, data), url)

    def read_bytes(self, url: str, most_bytes: int) -> bytes:
        """Fetch a small file, with the errors of :meth:`read_json`."""
        return self.persist(lambda: self._bytes("GET", url, most_bytes, {}, None), url)

    def _json(
        self, method: str, url: str, most_bytes: int, headers: Mapping[str, str], data: bytes | None
    ) -> Any:
        try:
            return json.loads(self._bytes(method, url, most_bytes, headers, data))
        except ValueError as error:
            raise PassingError("the response is not JSON") from error

    def _bytes(
        self, method: str, url: str, most_bytes: int, headers: Mapping[str, str], data: bytes | None
    ) -> bytes:
        body = bytearray()
        with self.open_response(url, headers, method=method, data=data) as response:
            for block in blocks(response):
                self.require_going()
                body += block
                if len(body) > most_bytes:
                    raise DownloadError(
                        f"{url} returned more than {most_bytes:,} bytes; check it in a browser"
                    )
        return bytes(body)

    def persist(self, action: Callable[[], T], url: str) -> T:
        """Return the result of ``action``, repeating it after each :class:`PassingError`.

        The count of attempts restarts whenever bytes were received. Raises :class:`DownloadError` when all
        attempts have failed and :class:`StoppedError` after :meth:`stop`.
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
                        f"{host}: {error}, {failures} times in a row; check your connection, then run the "
                        f"same command again: received files are kept"
                    ) from error
                if wait > self._patience.longest_s:
                    raise DownloadError(
                        f"{host}: {error}, and asks to wait {wait:.0f} s; run the same command again after "
                        f"that: received files are kept"
                    ) from error
                if self._notify is not None:
                    self._notify(f"{host}: {error}; trying again in {wait:.0f} s")
                self._stopping.wait(wait)

    @contextmanager
    def open_response(
        self, url: str, headers: Mapping[str, str], *, method: str = "GET", data: bytes | None = None
    ) -> Iterator[requests.Response]:
        """Open a response with status 200, 206 or 416; :func:`blocks` reads its body.

        Raises :class:`PassingError` for a temporary fault and :class:`DownloadError` for a permanent one.
        """
        with _sort_faults(url):
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
    """Yield the body in blocks of up to :data:`BLOCK` bytes, each as soon as it is received.

    ``iter_content`` waits for full blocks, and would lose received bytes when the connection breaks. Raises
    :class:`PassingError` if the connection breaks.
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
def _sort_faults(url: str) -> Iterator[None]:
    """Turn the errors of a connection into temporary and permanent faults."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DownloadError(
            f"{urlsplit(url).netloc} has no valid certificate ({error}); do not download from it"
        ) from error
    except requests.exceptions.Timeout as error:
        raise PassingError("no response in time") from error
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
        raise PassingError(f"the server returned status {status}", _wait_asked_for(response))
    reason = _REASONS.get(status, f"returned status {status}")
    raise DownloadError(
        f"{urlsplit(url).netloc} {reason}: {urlsplit(url)._replace(query='').geturl()} ({status}); check "
        f"the home page of the corpus for a new address"
    )


def _wait_asked_for(response: requests.Response) -> float | None:
    """Seconds to wait by ``Retry-After``, which is a number of seconds or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
