"""Shared by all commands: progress on the terminal, and errors as one sentence."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
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
from rich.text import Text
from typer.core import TyperCommand

from featurestore.progress import Advance
from schemas.errors import SerError, StoppedError, UsageError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

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
            return super().parse_args(ctx, args)
        except Exception as error:
            # Of typer's own copy of click, which has no public name.
            message = str(getattr(error, "message", ""))
            if (found := _EXTRA.search(message)) and self.params[0].param_type_name == "option":
                error.message = f"{message}; give it with its option: {self.params[0].opts[-1]} {found[1]}"  # type: ignore[attr-defined]
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command and report its errors."""
        with _report_errors():
            _require_working_directory()
            return super().invoke(ctx)


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
def _report_errors() -> Iterator[None]:
    """Turn errors into one sentence and an exit code: 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."""
    try:
        yield
    except StoppedError as error:
        err.print(str(error), markup=False)
        raise typer.Exit(error.exit_code) from error
    except SerError as error:
        err.print(Text.assemble(("error: ", "bold red"), str(error)))
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        err.print("stopped; run the same command again")
        raise typer.Exit(StoppedError.exit_code) from error
    except BrokenPipeError:
        raise  # the reader of the output has closed it, like head: click exits silently
    except OSError as error:  # from reading a path that the user gave; errors of writing are more precise
        what = f"cannot read {error.filename}: " if error.filename else ""
        err.print(Text.assemble(("error: ", "bold red"), f"{what}{error.strerror or error}; check the path"))
        raise typer.Exit(1) from error


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


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
