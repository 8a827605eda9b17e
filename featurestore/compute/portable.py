"""Errors that travel from one process to another."""

from __future__ import annotations

import traceback


def portable(error: Exception) -> Exception:
    """The error as another process can take it: of a class that it knows, with the traceback as a note."""
    known = type(error).__module__ in {"builtins", "schemas.errors"}
    sent = error if known else RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    return sent
