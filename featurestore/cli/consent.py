"""Asks the user to accept a licence before anything is downloaded."""

from __future__ import annotations

import sys

import typer

from schemas.errors import StoppedError, UsageError


def require_consent(name: str, home_page: str) -> None:
    """Ask the user to accept the licence of ``name``, which was shown before.

    Raises :class:`UsageError` if there is no terminal to ask on, :class:`StoppedError` if the user declines.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            f"the licence of {name} must be accepted, and there is no terminal to ask on; read it at "
            f"{home_page} and add --accept-licence"
        )
    try:
        yes = typer.confirm("Do you accept these conditions?", err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        yes = False
    if not yes:
        raise StoppedError("the licence was not accepted; nothing was downloaded")
