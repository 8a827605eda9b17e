"""Play a page: its blocks one after another, as a reader would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Self

from data.own_recordings.description import Description
from schemas.recipe import Recipe, load_recipe, parse_recipe
from tests.docs.commands import INTERRUPT, Command, Printed, Running, commands_of
from tests.docs.differences import INSTEAD, may_fail, reason_not_to_run, serving
from tests.docs.fences import KNOWN, Fence, fences_of
from tests.docs.words import missing_line

_DATED_RUN = re.compile(r"runs/[0-9]{8}-[0-9]{6}-(?P<name>[a-z0-9_-]+)")
_PLACEHOLDER = re.compile(r"(?<![\w$-])(?:RUN|STORE)(?![\w=-])")
"""In commands: the newest run, and the store that every page starts with."""
_STATE = 'test ! -f "$PAGE_STATE" || . "$PAGE_STATE"\n'
_KEEP = '\nstatus=$?\n{ export -p; printf "cd %q\\n" "$PWD"; } > "$PAGE_STATE"\nexit $status\n'


class PageError(AssertionError):
    """A page is wrong. The message begins with the page and line."""


@dataclass
class Player:
    """Plays pages in one folder."""

    folder: Path
    environment: dict[str, str]
    cluster: Callable[[], AbstractContextManager[str]] | None = None
    """Starts a scheduler with a worker, for pages that use one but start none, and returns its address."""
    bucket: str = "lab"
    scheduler: str = ""
    _serving: list[Running] = field(default_factory=list)
    _python: _Python | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Set the environment. Nothing starts yet."""
        self.environment = {**self.environment, "PAGE_STATE": str(self.folder.with_suffix(".state"))}
        return self

    def __exit__(self, *_: object) -> None:
        """End everything that still runs."""
        for running in reversed(self._serving):
            running.stop()
        if self._python is not None:
            self._python.close()
        self._open.close()

    def play(self, path: Path, page: str) -> None:
        """Run, read and compare all blocks of the Markdown file ``path``. Raises :class:`PageError`."""
        for fence in known_fences(path, page):
            self._perform(fence)

    def _perform(self, fence: Fence) -> None:
        if fence.title:
            self._write(fence)
        elif fence.language in ("sh", "console"):
            try:
                commands = commands_of(fence)
            except ValueError as error:
                raise PageError(str(error)) from error
            for command in commands:
                if reason_not_to_run(command.text) is None:
                    self._run(command)
        elif fence.language == "python":
            self._run_python(fence)
        elif fence.language in ("toml", "json"):
            require_valid(fence)

    def _write(self, fence: Fence) -> None:
        require_valid(fence)
        file = self.folder / fence.title
        if not file.resolve().is_relative_to(self.folder.resolve()):
            raise PageError(f"{fence.place}: {fence.title} is outside of the page's folder")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fence.text, encoding="utf-8")

    def _run(self, command: Command) -> None:
        text = _PLACEHOLDER.sub(lambda match: self._value_of(match[0]), self.replaced(command.text))
        if (found := serving(command.text)) is not None:
            running = Running.start(command, f"{_STATE}{text}", self.folder, self.environment)
            self._serving.append(running)
            running.wait_until(lambda: re.search(found.ready, running.text))
            if (match := re.search(found.ready, running.text)) and "address" in match.groupdict():
                self.scheduler = match["address"]
            return
        printed = Running.start(command, f"{_STATE}{text}{_KEEP}", self.folder, self.environment).wait()
        self._compare(command, text, printed)

    def _compare(self, command: Command, text: str, printed: Printed) -> None:
        interrupted = INTERRUPT in command.expected
        expected = [line for line in command.expected if line != INTERRUPT]
        said = f"{command.place}: {command.text}\n(run as: {text})\n"
        failed = printed.status != 0
        if not may_fail(command.text) and failed != (command.fails or interrupted):
            wanted = "fails" if command.fails else "works"
            raise PageError(
                f"{said}on the page this {wanted}, but the exit status is {printed.status}:\n{printed.text}"
            )
        line = missing_line(expected, printed.text)
        if line is not None:
            raise PageError(f"{said}the page says that it prints\n  {line}\nbut it printed\n{printed.text}")

    def _run_python(self, fence: Fence) -> None:
        if self._python is None:
            self._python = _Python.start(self.folder, self.environment)
        if problem := self._python.run(self.replaced(fence.text), fence):
            raise PageError(f"{fence.place}: {problem}")

    def replaced(self, text: str) -> str:
        """Return the text as it is run here, see :data:`tests.docs.differences.INSTEAD`.

        A dated run folder, ``runs/20261121-150927-NAME``, becomes the newest run of that name.
        """
        for entry in INSTEAD:
            by = entry.by.replace("{stage}", str(self.folder)).replace("{bucket}", self.bucket)
            if "{scheduler}" in by and re.search(entry.pattern, text, re.MULTILINE):
                by = by.replace("{scheduler}", self._scheduler())
            text = re.sub(entry.pattern, by, text, flags=re.MULTILINE)
        return _DATED_RUN.sub(lambda match: self._newest(match["name"]), text)

    def _value_of(self, placeholder: str) -> str:
        return self._newest("") if placeholder == "RUN" else "features.zarr"

    def _scheduler(self) -> str:
        if not self.scheduler:
            if self.cluster is None:
                raise PageError("the page needs a scheduler and there is none")
            self.scheduler = self._open.enter_context(self.cluster())
        return self.scheduler

    def _newest(self, name: str) -> str:
        found = (self.folder / "runs").glob(f"*{name}")
        runs = [path for path in found if (path / "run.json").exists() or (path / "series.json").exists()]
        if not runs:
            return f"runs/no-run-called-{name}"
        return f"runs/{max(runs, key=lambda path: path.stat().st_mtime_ns).name}"


def known_fences(path: Path, page: str) -> list[Fence]:
    """Return the blocks of the file. Raises :class:`PageError` if one is open or of an unknown language."""
    try:
        fences = fences_of(path, page)
    except ValueError as error:
        raise PageError(str(error)) from error
    if strange := [fence for fence in fences if fence.language not in KNOWN]:
        known = ", ".join(KNOWN)
        raise PageError(
            "\n".join(f"{fence.place}: unknown language '{fence.language}'; use {known}" for fence in strange)
        )
    return fences


def require_valid(fence: Fence) -> None:
    """Parse a ``toml``, ``json`` or ``python`` block. Raises :class:`PageError` if it is not valid."""
    try:
        if fence.language == "json":
            json.loads(fence.text)
        elif fence.language == "python":
            compile(fence.text, fence.place, "exec")
        elif fence.language == "toml":
            _require_known_toml(fence)
    except (ValueError, SyntaxError) as error:
        raise PageError(f"{fence.place}: {error}") from error


def _require_known_toml(fence: Fence) -> None:
    values = tomllib.loads(fence.text)
    if PurePath(fence.title).name == "pyproject.toml":  # setuptools reads it
        return
    if values.keys() <= Description.model_fields.keys() and not fence.title.endswith("recipe.toml"):
        Description.model_validate(values)
    elif values.keys() <= Recipe.model_fields.keys():
        if {"name", "features", "model"} <= values.keys():
            parse_recipe(fence.text, fence.place)
        else:  # part of a recipe: a complete one supplies the rest
            whole = load_recipe("four-corpora-a").model_dump(mode="json")
            Recipe.model_validate({**whole, **values})
    else:
        strange = sorted(values.keys() - Recipe.model_fields.keys() - Description.model_fields.keys())
        raise ValueError(f"neither a recipe nor a corpus.toml: {', '.join(strange) or 'fields of both'}")


@dataclass
class _Python:
    """The process of a page's Python blocks."""

    process: subprocess.Popen[str]
    answers: Iterator[str]
    printed: Path

    @classmethod
    def start(cls, folder: Path, environment: dict[str, str]) -> Self:
        read, write = os.pipe()
        printed = folder.with_suffix(".printed")
        with printed.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("python_child.py")), str(write)],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=[write],
            )
        os.close(write)
        return cls(process, iter(os.fdopen(read)), printed)

    def run(self, code: str, fence: Fence) -> str | None:
        """Return what went wrong, or None."""
        assert self.process.stdin is not None
        request = {"code": code, "name": fence.page, "line": fence.line}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = next(self.answers, None)
        if answer is None:
            return f"the process died:\n{self.printed.read_text()}"
        problem = json.loads(answer)
        return None if problem is None else f"{problem}\nprinted before:\n{self.printed.read_text()}"

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
