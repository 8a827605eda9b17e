"""Shared by all commands: what reaches the terminal, progress, and errors as one sentence.

Names of files, titles and messages come from whoever made a corpus or store. Everything that is printed
passes :class:`EdgeConsole` or :func:`print_json`, where control characters are escaped.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress
from rich.segment import Segment
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from featurestore.cli.entry import STOPPED
from featurestore.cli.environment import prepare_environment
from featurestore.cli.streams import discard
from featurestore.places.durable import NO_TEMPORARY, no_temporary_folder
from featurestore.progress import Advance
from schemas.errors import SerError, StoppedError
from schemas.messages.printable import escape_controls, escape_json, escape_line


class EdgeConsole(Console):
    """A console on which only its own control characters reach the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string, escaped before its width is measured."""
        return super().render_str(escape_controls(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything, with its text escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escape_controls(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Let the command end as one whose reader has gone."""
        raise  # noqa: PLE0704 called while the error is handled


out = EdgeConsole(highlight=False, soft_wrap=True)
err = EdgeConsole(stderr=True, highlight=False, soft_wrap=True)

# What Matplotlib says about its caches and fonts is not about the user's work.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

_EXTRA = re.compile(r"unexpected extra argument.* \((\S+).*\)$")

PLAIN_SECONDS = 10.0
"""Seconds between two lines of progress if there is no terminal."""


def _print_version(requested: bool) -> None:
    if requested:
        out.print(version("ser-features"))
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
]
"""The option ``--version`` of every command line."""


class Command(TyperCommand):
    """A command that reports errors as sentences."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments; if a value lacks its option, name the option in the error."""
        try:
            with _report_errors():
                return super().parse_args(ctx, args)
        except Exception as error:
            # Of typer's own copy of click, which has no public name.
            message = _escape_message(error)
            if (found := _EXTRA.search(message)) and self.params[0].param_type_name == "option":
                error.message = f"{message}; give it with its option: {self.params[0].opts[-1]} {found[1]}"  # type: ignore[attr-defined]
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command and report its errors."""
        with _report_errors():
            prepare_environment()
            return super().invoke(ctx)


class Commands(TyperGroup):
    """Several commands of one program."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first argument names."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            _escape_message(error)
            raise


def _escape_message(error: Exception) -> str:
    """Escape the message of a parsing error, which quotes what the user or a shell's pattern gave."""
    if not isinstance(message := getattr(error, "message", None), str):
        return ""
    error.message = escape_controls(message)  # type: ignore[attr-defined]
    return escape_controls(message)


@contextmanager
def after_result() -> Iterator[None]:
    """What follows a finished result: its failure is a warning, and the command ends as its result says."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has closed it
        discard(sys.stdout)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 whatever it is, the result is complete
        why = str(error) if isinstance(error, SerError) else f"unexpected {type(error).__name__}"
        warn(f"the work is done and kept, but not all of it could be shown: {why}")
        discard(sys.stdout)


def note(sentence: str) -> None:
    """Print a note on standard error."""
    err.print(f"note: {escape_line(sentence)}", markup=False)


def warn(sentence: str) -> None:
    """Print a warning on standard error."""
    err.print(Text.assemble(("warning: ", "bold yellow"), escape_line(sentence)))


@contextmanager
def _report_errors() -> Iterator[None]:
    """Turn errors into one sentence and an exit code: 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."""
    try:
        yield
    except StoppedError as error:
        err.print(escape_line(str(error)), markup=False)
        raise typer.Exit(error.exit_code) from error
    except SerError as error:
        err.print(Text.assemble(("error: ", "bold red"), escape_line(str(error))))
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        err.print(STOPPED)
        raise typer.Exit(StoppedError.exit_code) from error
    except BrokenPipeError:
        raise  # the reader of the output has closed it, like head: click exits silently
    except OSError as error:  # from reading a path that the user gave; errors of writing are more precise
        if (error.strerror or "").startswith(NO_TEMPORARY):
            err.print(Text.assemble(("error: ", "bold red"), str(no_temporary_folder())))
            raise typer.Exit(1) from error
        what = f"cannot read {error.filename}: " if error.filename else ""
        sentence = escape_line(f"{what}{error.strerror or error}; check the path")
        err.print(Text.assemble(("error: ", "bold red"), sentence))
        raise typer.Exit(1) from error


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """A value as JSON, with escapes for control characters and for what standard output cannot encode."""
    text = escape_json(json.dumps(value, indent=2, ensure_ascii=False))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return json.dumps(value, indent=2)
    return text


class ConsoleProgress:
    """Progress on standard error: on a terminal a bar with rate and time left, otherwise occasional lines."""

    @contextmanager
    def task(self, description: str, total: int, unit: str) -> Iterator[Advance]:
        """Open a task of ``total`` items; yields the function that advances it."""
        if err.is_terminal:
            with RichProgress(*_columns(unit), console=err, transient=True) as bar:
                task = bar.add_task(description, total=total, unit=unit)
                yield lambda count: bar.advance(task, count)
        else:
            yield _plain(description, total, unit)

    @contextmanager
    def counter(self, description: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Open a task whose size is not yet known; yields a function of (items done, items in total)."""
        with ExitStack() as stack:
            advance: Advance | None = None
            before = 0

            def report(done: int, total: int) -> None:
                nonlocal advance, before
                if advance is None:
                    advance = stack.enter_context(self.task(description, total, unit))
                advance(done - before)
                before = done

            yield report


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {task.fields['unit']}/s" if speed else "", style="progress.data.speed")


def _columns(unit: str) -> list[ProgressColumn]:
    amount: list[ProgressColumn] = (
        [DownloadColumn(), TransferSpeedColumn()]
        if unit == "bytes"
        else [MofNCompleteColumn(), _RateColumn()]
    )
    return [
        TextColumn("{task.description}"),
        BarColumn(),
        *amount,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]


def _plain(description: str, total: int, unit: str) -> Callable[[int], None]:
    started = printed = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal printed, done
        done += count
        now = time.monotonic()
        if now - printed >= PLAIN_SECONDS:
            printed = now
            rate = done / (now - started)
            left = (total - done) / rate if rate else 0
            err.print(f"{description}: {done}/{total} {unit}, {rate:.1f}/s, {left:.0f} s left")

    return advance
