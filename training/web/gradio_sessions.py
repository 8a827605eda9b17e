"""Gradio's memory of its sessions, which this page does not use and must not fill."""

from __future__ import annotations

from fastapi import FastAPI
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder
from starlette.routing import Mount


def forget_sessions(mounted: FastAPI) -> None:
    """Make the Gradio application that is mounted in ``mounted`` keep nothing of a session.

    Gradio keeps the last answer of each of 10,000 sessions, so that it could be shown again. An answer holds
    the visitor's recording.
    """
    for route in mounted.routes:
        if isinstance(route, Mount) and isinstance(route.app, App):
            route.app.state_holder = _NoSessions()  # type: ignore[no-untyped-call]
            route.app.state_holder.set_blocks(route.app.get_blocks())
            return
    raise LookupError("Gradio has not mounted its application")


class _NoSessions(StateHolder):
    """A new session for every request."""

    def __getitem__(self, session_id: str) -> SessionState:
        return SessionState(self.blocks)
