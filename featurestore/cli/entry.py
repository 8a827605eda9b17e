"""Start of every command: streams, Ctrl-C and Python's own options, before anything heavy is imported."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from featurestore.cli.shortage import explain_shortage
from featurestore.cli.streams import discard, safe_streams
from schemas.errors import SerError, StoppedError, UsageError
from schemas.messages.printable import escape_line

STOPPED = "stopped; run the same command again"


def start(module: str) -> NoReturn:
    """Run the command line ``app`` of ``module`` and end with its exit status, whatever the streams do.

    Ctrl-C ends the command with one sentence and status 130, also while it is being imported.
    """
    with safe_streams():
        output = sys.stdout  # which typer replaces after a broken pipe
        status = _run(module)
        try:
            output.flush()
        except BrokenPipeError:  # the reader of the output has closed it, like head
            status = status or 1
            discard(output)
        except SerError as error:
            status = status or _report(error)
            discard(output)
    sys.exit(status)


def _run(module: str) -> int:
    try:
        _require_asserts()
        _require_working_directory()
        with _leave_at_ctrl_c():
            app: Any = import_module(module).app
        app()
    except SystemExit as end:
        return _status(end.code)
    except KeyboardInterrupt:
        sys.stderr.write(f"{STOPPED}\n")
        return StoppedError.exit_code
    except SerError as error:
        return _report(error)
    except Exception as error:
        if (shortage := explain_shortage(error)) is None:
            raise
        return _report(shortage)
    return 0


def _status(code: object) -> int:
    if isinstance(code, int):
        return code
    if code is not None:
        sys.stderr.write(f"{code}\n")
    return int(code is not None)


def _report(error: SerError) -> int:
    sys.stderr.write(f"error: {escape_line(str(error))}\n")
    return error.exit_code


def _require_asserts() -> None:
    """Raise :class:`UsageError` under ``python -O``, which removes checks that Zarr works with."""
    if sys.flags.optimize:
        raise UsageError(
            "Python runs with -O (PYTHONOPTIMIZE), and Zarr cannot write or read stores that way; run the "
            "command without it: env -u PYTHONOPTIMIZE COMMAND"
        )


def _require_working_directory() -> None:
    """Raise :class:`UsageError` if the working directory was deleted: libraries would fail in their words."""
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(
            "the working directory does not exist any more; change to another folder with cd and run the "
            "command again"
        ) from error


@contextmanager
def _leave_at_ctrl_c() -> Iterator[None]:
    """Leave at once at Ctrl-C: an exception in the middle of an import may be swallowed or printed."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def leave(number: int, frame: object) -> None:
        with suppress(OSError):
            os.write(2, f"{STOPPED}\n".encode())  # the stream may be in the middle of a write
        os._exit(StoppedError.exit_code)

    signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
