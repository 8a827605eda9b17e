"""The regular expression that finds a clip's speaker in its path, searched for in limited time.

A short expression may take years, such as ``(.*)*x`` on a path without an x. Python cannot stop a search, so
another process searches, and the system ends it.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence

from schemas.errors import CorpusError

MOST_CHARACTERS = 1_000
"""Longest expression."""

PROCESSOR_SECONDS = 10
"""Processor time for all paths of a corpus; common expressions take microseconds per path."""

_PROGRAM = """
import json, re, resource, sys
seconds, pattern, paths = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
search = re.compile(pattern).search
for path in paths:
    found = search(path)
    print(json.dumps(found and found["speaker"]), flush=True)
"""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile an expression that names a group ``speaker``. Raises ValueError with what is wrong with it."""
    if len(pattern) > MOST_CHARACTERS:
        raise ValueError(
            f"'{pattern[:60]}…' has {len(pattern):,} characters, but at most {MOST_CHARACTERS:,} are possible"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"'{pattern}' is not a regular expression: {error}") from error
    except RecursionError as error:
        raise ValueError(f"'{pattern[:60]}…' has groups that are nested too deeply") from error
    if "speaker" not in compiled.groupindex:
        raise ValueError(f"'{pattern}' has no group named 'speaker', as in (?P<speaker>[a-z]+)")
    return compiled


def find_speakers(pattern: str, paths: Sequence[str]) -> list[str | None]:
    """What the group ``speaker`` matches in each path; None if the expression is not found.

    Raises :class:`CorpusError` if the search takes more than :data:`PROCESSOR_SECONDS`.
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", _PROGRAM]
    request = json.dumps([PROCESSOR_SECONDS, pattern, list(paths)])
    try:
        child = subprocess.run(command, input=request.encode(), capture_output=True, check=False)  # noqa: S603
    except OSError:  # no more processes are allowed
        return _find_here(pattern, paths)
    found = [json.loads(line) for line in child.stdout.splitlines(keepends=True) if line.endswith(b"\n")]
    if child.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise CorpusError(
            f"the search for speaker = '{pattern}' in the path '{paths[len(found)]}' does not end; simplify "
            f"the regular expression: repeat no group that itself repeats, such as (a+)+"
        )
    return found if child.returncode == 0 else _find_here(pattern, paths)


def _find_here(pattern: str, paths: Sequence[str]) -> list[str | None]:
    compiled = compile_pattern(pattern)
    return [match and match["speaker"] for match in map(compiled.search, paths)]
