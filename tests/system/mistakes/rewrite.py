"""Rewrite the messages of ``mistakes.md``, and those that ``docs/errors.md`` quotes, as printed today.

Run ``python -m tests.system.mistakes.rewrite`` after a change of wording. Read the difference before you
commit it: a changed exit status is not wording.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from data.demo import write_demo
from tests.conftest import copy_first_sentence
from tests.system.mistakes.conftest import BUILD_WITHOUT_END
from tests.system.mistakes.page import Mistake, mistakes_of
from tests.system.mistakes.play import play
from tests.system.mistakes.quotes import ERRORS, refresh_quotes
from tests.system.mistakes.stage import set_stage

PAGE = Path(__file__).with_name("mistakes.md")


def main() -> None:
    """Play every mistake and write its message into the pages."""
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "stage"
        root.mkdir()
        write_demo(Path(folder) / "whole")
        copy_first_sentence(Path(folder) / "whole", Path(folder) / "small")
        os.chdir(root)
        set_stage(root, Path(folder) / "small")
        command = [sys.executable, "-c", BUILD_WITHOUT_END]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as builder:
            assert builder.stdout is not None
            builder.stdout.readline()
            for mistake in mistakes_of(PAGE):
                played = play(mistake.command)
                text = text.replace(
                    _block(mistake), _block(Mistake(mistake.command, played.message, played.status))
                )
            builder.communicate("")
        os.chdir("/")
    PAGE.write_text(text, encoding="utf-8")
    refresh_quotes(ERRORS, mistakes_of(PAGE))


def _block(mistake: Mistake) -> str:
    return f"```console\n$ {mistake.command}\n{mistake.message}\nexit status {mistake.status}\n```"


if __name__ == "__main__":
    main()
