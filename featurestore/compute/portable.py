"""Errors that can be sent to another process."""

from __future__ import annotations

import traceback


def make_portable(error: Exception) -> Exception:
    """The error in a form that any process can unpickle: a known class, with the traceback as a note."""
    known = type(error).__module__ in {"builtins", "schemas.errors"}
    sent = error if known else RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    return sent
