"""Sessions of the page that have sent a recording: only they may wait for an answer."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from training.web.asgi import RefusedError

SESSION = "[A-Za-z0-9_-]{1,64}"
"""Pattern of a session's name, which the browser draws at random."""

_MOST = 2000
"""Sessions that are remembered, as many as Gradio keeps; the one that was silent for longest is forgotten."""

_PATIENCE_S = 5.0
"""Seconds in which a browser must ask for an answer after its request."""


class Sessions:
    """Names of the sessions whose request was passed on to Gradio."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()
        self._streamed: set[str] = set()
        self._changed = threading.Condition()

    def add(self, name: str) -> None:
        """Remember a session that has sent a recording."""
        self._known[name] = None
        self._known.move_to_end(name)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, name: str) -> None:
        """Forget a session that Gradio no longer knows."""
        self._known.pop(name, None)

    @contextmanager
    def streaming(self, name: str) -> Iterator[None]:
        """Mark a session as one whose answers are being sent.

        Raises :class:`RefusedError` if they already are: of two streams of a session, Gradio fails in the one
        that does not get the last answer.
        """
        with self._changed:
            if name in self._streamed:
                raise RefusedError(409, "this session already waits for its answer")
            self._streamed.add(name)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._streamed.discard(name)

    def is_awaited(self, name: str, within_s: float = _PATIENCE_S) -> bool:
        """Whether a session's answer is asked for within ``within_s`` seconds; called from any thread.

        An answer that nobody asks for would stay in Gradio's memory, with the recording in it.
        """
        with self._changed:
            return self._changed.wait_for(lambda: name in self._streamed, within_s)

    def asked_for(self, query: bytes) -> str:
        """The session that a query string names. Raises :class:`RefusedError` unless it is a known one."""
        names = parse_qs(query.decode("latin-1")).get("session_hash", [])
        if len(names) != 1 or not re.fullmatch(SESSION, names[0]) or names[0] not in self._known:
            raise RefusedError(404, "there is no such session; send a recording first")
        return names[0]
