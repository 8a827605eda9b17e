"""Sessions of the page that have sent a recording: only they may wait for an answer."""

from __future__ import annotations

import re
from collections import OrderedDict
from urllib.parse import parse_qs

from training.web.asgi import RefusedError

SESSION = "[A-Za-z0-9_-]{1,64}"
"""Pattern of a session's name, which the browser draws at random."""

_MOST = 2000
"""Sessions that are remembered, as many as Gradio keeps; the one that was silent for longest is forgotten."""


class Sessions:
    """Names of the sessions whose request was passed on to Gradio."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> None:
        """Remember a session that has sent a recording."""
        self._known[name] = None
        self._known.move_to_end(name)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, name: str) -> None:
        """Forget a session that Gradio no longer knows."""
        self._known.pop(name, None)

    def asked_for(self, query: bytes) -> str:
        """The session that a query string names. Raises :class:`RefusedError` unless it is a known one."""
        names = parse_qs(query.decode("latin-1")).get("session_hash", [])
        if len(names) != 1 or not re.fullmatch(SESSION, names[0]) or names[0] not in self._known:
            raise RefusedError(404, "there is no such session; send a recording first")
        return names[0]
