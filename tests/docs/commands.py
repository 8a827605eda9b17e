"""The commands of a page, run as real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.fences import Fence
from tests.docs.words import missing_line

INTERRUPT = "^C"
"""A line of output that means: press Ctrl-C once everything above it was printed."""

SECONDS = 240.0
"""Longest time that a command may take."""


@dataclass(frozen=True)
class Command:
    """A command of a page, and its output according to the page."""

    place: str
    text: str
    expected: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether the page shows an error."""
        return any(line.startswith("error:") for line in self.expected)


@dataclass(frozen=True)
class Printed:
    """What a command printed, including standard error, and its exit status."""

    text: str
    status: int


def commands_of(fence: Fence) -> list[Command]:
    """Return the commands of a ``sh`` or ``console`` fence. Raises ValueError if it starts without one."""
    lines = fence.text.splitlines()
    return list(_console(fence, lines) if fence.language == "console" else _script(fence, lines))


def _console(fence: Fence, lines: list[str]) -> Iterator[Command]:
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            raise ValueError(
                f"{fence.place}: a console must begin with a command, '$ …', not with '{lines[at]}'"
            )
        start, at = at, at + 1
        text = [lines[start][2:]]
        while not _complete("\n".join(text)) and at < len(lines):
            text.append(lines[at].removeprefix("> "))
            at += 1
        output = at
        while at < len(lines) and not lines[at].startswith("$ "):
            at += 1
        place = f"{fence.page}:{fence.line + start}"
        yield Command(place, "\n".join(text), tuple(lines[output:at]))


def _script(fence: Fence, lines: list[str]) -> Iterator[Command]:
    text: list[str] = []
    for number, line in enumerate(lines):
        text.append(line)
        whole = "\n".join(text)
        if _complete(whole):
            if any(each.strip() and not each.strip().startswith("#") for each in text):
                yield Command(f"{fence.page}:{fence.line + number - len(text) + 1}", whole)
            text = []
    if text:
        raise ValueError(f"{fence.page}:{fence.line + len(lines) - len(text)}: the command never ends")


def _complete(text: str) -> bool:
    """Whether the shell needs no further line."""
    if text.endswith("\\"):
        return False
    if not re.search(r"[\"'`({]|<<|\b(do|then|case)\b", text):
        return True
    checked = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return checked.returncode == 0 and not checked.stderr


@dataclass
class Running:
    """A running command. Everything that it prints is collected."""

    command: Command
    process: subprocess.Popen[str]
    thread: threading.Thread
    lines: list[str]

    @classmethod
    def start(cls, command: Command, text: str, folder: Path, environment: Mapping[str, str]) -> Running:
        """Start ``text`` in its own session."""
        process = subprocess.Popen(
            ["bash", "-c", text],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        lines: list[str] = []
        thread = threading.Thread(target=_gather, args=(process, lines), daemon=True)
        thread.start()
        return cls(command, process, thread, lines)

    @property
    def text(self) -> str:
        """What was printed so far."""
        return "".join(self.lines)

    def wait(self, seconds: float = SECONDS) -> Printed:
        """Wait until it ends. After ``seconds``, stop it and raise TimeoutError."""
        if INTERRUPT in self.command.expected:
            before = list(self.command.expected[: self.command.expected.index(INTERRUPT)])
            self.wait_until(lambda: missing_line(before, self.text) is None, seconds)
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise TimeoutError(
                f"{self.command.place}: took more than {seconds:g} s: {self.command.text}\n{self.text}"
            ) from None
        self.thread.join(10)
        return Printed(self.text, self.process.returncode)

    def wait_until(self, met: object, seconds: float = SECONDS) -> None:
        """Wait until ``met()`` is true. Raises AssertionError if the command ends first."""
        assert callable(met)
        end = time.monotonic() + seconds
        while not met():
            alive = self.process.poll() is None
            if (not alive and not self.thread.is_alive() and not met()) or time.monotonic() > end:
                self.stop()
                raise AssertionError(
                    f"{self.command.place}: did not print what the page shows: "
                    f"{self.command.text}\n{self.text}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and everything that it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                continue


def _gather(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stdout is not None
    lines.extend(iter(process.stdout.readline, ""))
