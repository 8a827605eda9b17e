"""The standard streams of a command: repaired where they are missing, and never the cause of a traceback.

::

    standard input   closed: empty
    standard output  closed, full or failing: OutputError; without a reader: BrokenPipeError
    standard error   closed, full or failing: what is written there is lost, the command continues

Imports nothing that takes time: it runs before anything else of a command.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from schemas.errors import OutputError

_PLAIN = {
    "×": "x", "–": "-", "—": "-", "−": "-", "·": ".", "…": "...", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~",
    "→": "->", "µ": "u", "’": "'", "‘": "'", "“": '"', "”": '"', "•": "*", "│": "|", "─": "-", "━": "-",
    "╸": "-", "╺": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "█": "#",
}  # fmt: skip
"""What is printed for characters that the encoding of a stream lacks; others are printed as escapes."""

_ERRORS = "ser-plain"


@contextmanager
def safe_streams() -> Iterator[None]:
    """Make all three streams usable for the time of a command."""
    before = sys.stdin, sys.stdout, sys.stderr
    codecs.register_error(_ERRORS, _replace)
    closed = [stream is None for stream in before]
    for descriptor in (number for number in range(3) if closed[number]):
        _open_nothing(descriptor)
    if closed[0]:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = cast("TextIO", _Output(before[1], "it is closed" if closed[1] else ""))
    sys.stderr = cast("TextIO", _Errors(before[2]))
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def discard(stream: TextIO) -> None:
    """Let everything that ``stream`` still holds go nowhere, so that the process ends in silence."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _open_nothing(descriptor: int) -> None:
    """Open the null device as a standard stream that is missing, or the next file opened would become it."""
    with suppress(OSError):
        os.fstat(descriptor)
        return
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    os.set_inheritable(descriptor, True)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each) or _escape(each) for each in found), error.end


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


class _Stream:
    """A text stream that replaces what its encoding lacks."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None else os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        with suppress(AttributeError, OSError, ValueError):
            self._stream.reconfigure(errors=_ERRORS)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """Standard output; ``problem``: why nothing can be written, if that is known."""

    def __init__(self, stream: TextIO | None, problem: str) -> None:
        super().__init__(stream)
        self._problem = problem

    def write(self, text: str) -> int:
        self._require_open()
        with _output_errors():
            return self._stream.write(text)

    def flush(self) -> None:
        with _output_errors():
            self._stream.flush()

    def _require_open(self) -> None:
        if self._problem:
            raise OutputError(_explain(self._problem))


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a stream closed by this process
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise OutputError(_explain(f"{why[:1].lower()}{why[1:]}")) from error


def _explain(why: str) -> str:
    return f"cannot write to standard output: {why}; redirect it to a file on a disk with room"


class _Errors(_Stream):
    """Standard error: a reader that has gone, or a full disk, costs messages and not the work."""

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            discard(self._stream)
