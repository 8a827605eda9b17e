"""What bash offers after Tab, asked of bash itself with the script that the commands print."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.recipe import shipped_recipes

BIN = Path(sys.executable).parent
COMMANDS = ("ser-features", "ser-train", "ser-evaluate", "ser-predict", "ser-export", "ser-demo", "ser-serve")

ASK = """
source /dev/stdin <<< "$("$1" --show-completion)"
COMP_WORDS=("${@}"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\) .*/\\1/') "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*typed: str) -> list[str]:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash on the path")
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "--norc", "-c", ASK, "bash", *typed],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_completes_its_options(command: str) -> None:
    words = (command, "build", "--o") if command == "ser-features" else (command, "--hel")
    assert offered(*words) == ["--out" if command == "ser-features" else "--help"]


@pytest.mark.slow
def test_names_that_an_option_takes_are_offered() -> None:
    found = [name for name in shipped_recipes() if name.startswith("ravdess")]
    assert offered("ser-features", "build", "--recipe", "ravdess") == found
    assert offered("ser-train", "--recipe", "ravdess") == found
    assert offered("ser-train", "--model", "functionals-") == [
        "functionals-mlp",
        "functionals-lda",
        "functionals-ridge",
    ]
    assert offered("ser-train", "--protocol", "emo") == ["emobox"]


def test_behind_a_comma_the_next_name_is_offered() -> None:
    assert offered("ser-features", "build", "--datasets", "ravdess,te") == ["ravdess,tess"]
    assert offered("ser-features", "build", "--features", "mel,mel") == []
    assert offered("ser-features", "build", "--features", "mel,mf") == ["mel,mfcc"]
