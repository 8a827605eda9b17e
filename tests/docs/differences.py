"""All differences between what a test of the documentation does and what a reader does, with reasons.

One is not here: the figures of reports are empty pictures, see :mod:`tests.prepared`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class NotRun:
    """A pattern of commands that no test runs."""

    pattern: str
    """Regular expression that is searched in the command."""
    reason: str


@dataclass(frozen=True)
class Instead:
    """Text of a command or Python block that is replaced before it runs."""

    pattern: str
    """Regular expression."""
    by: str
    """May contain ``{stage}``, ``{bucket}``, ``{scheduler}`` and groups of the pattern (``\\1``)."""
    reason: str


@dataclass(frozen=True)
class Serving:
    """A command that runs until it is stopped, in parallel with the rest of its page."""

    pattern: str
    ready: str
    """Regular expression: what it prints when it is ready."""


NOT_RUN: tuple[NotRun, ...] = (
    NotRun(r"^(\S*/)?pip install (?!\.$)|-m pip install", "changes the interpreter that runs the tests"),
    NotRun(r"^make (demo|test|test-all|docs)\b", "installs a virtual environment; CI runs make itself"),
    NotRun(r"^(python )?benchmarks/", "takes minutes to hours; the results are in benchmarks/results/"),
    NotRun(
        r"--device cuda\b|--cuda-graphs\b|\bdask cuda\b",
        "needs a GPU; see tests/featurestore/compute/test_gpu_path.py",
    ),
    NotRun(r"^ser-features download (?!.*--help)", "needs a server on the internet; see tests/data/download"),
)

_TRAINS = r"^((?:torchrun .*?\$\(which ser-train\))|ser-train)(?!\S)(?![^#]*--(?:help|resume))"
_TRAINS_A_NETWORK = rf"{_TRAINS}(?![^#]*--model functionals)"

INSTEAD: tuple[Instead, ...] = (
    Instead(
        r"(?<=\s)--epochs [0-9]+",
        "--epochs 3",
        "networks are trained briefly, to see that they work, not how well they learn",
    ),
    Instead(
        f"{_TRAINS_A_NETWORK}(?![^#]*--epochs)"
        "(?=[^#]*--recipe (?:ravdess-functionals|whisper-(?:layers|frames)))",
        r"\1 --epochs 5",
        "the same; the learning rate rises for three or four epochs",
    ),
    Instead(f"{_TRAINS_A_NETWORK}(?![^#]*--epochs)", r"\1 --epochs 1", "the same"),
    Instead(
        # a page shows the note on demo.zarr that its views are not all of the recipe's
        f"{_TRAINS}(?![^#]*--(?:views|leak-views|store demo\\.zarr --model functionals))",
        r"\1 --views 0",
        "the same, on originals only, in a sixth of the time; of linear classifiers too",
    ),
    Instead(
        r"^pip install \.$",
        "pip install --quiet --no-index --no-deps --no-build-isolation --target site-packages . && "
        "export PYTHONPATH=$PWD/site-packages",
        "into the page's own folder, so that the interpreter does not change",
    ),
    Instead(r"--store gpu\.zarr", "--store features.zarr", "a store that needs a GPU to build"),
    Instead(r"s3://lab\b", "s3://{bucket}", "the page's own bucket, on a local server"),
    Instead(r"(?<![\w.])/data/", "{stage}/data/", "the page's own folder"),
    Instead(r"/nfs/", r"{stage}/", "a folder that all hosts share"),
    Instead(r"tcp://head:8786", "{scheduler}", "a real scheduler with a worker, at another address"),
    Instead(
        r"^dask scheduler\b",
        r"dask scheduler --host 127.0.0.1 --port 0 --no-dashboard",
        "on the local machine, at a free port",
    ),
    Instead(r"^dask worker\b", r"dask worker --no-dashboard", "two pages run at the same time"),
)

SERVING: tuple[Serving, ...] = (
    Serving(r"^dask scheduler\b", r"Scheduler at: +(?P<address>tcp://\S+)"),
    Serving(r"^dask worker\b", r"Registered to:"),
    Serving(r"^ser-demo\b(?!.*--help)", r"http://127\.0\.0\.1"),
)

MAY_FAIL: tuple[NotRun, ...] = (
    NotRun(r"^ser-features compare\b", "exits with 1 if the stores differ, as diff does"),
)
"""Commands that may fail although the page shows no line ``error: …``."""


def reason_not_to_run(command: str) -> str | None:
    """Return why a command is not run, or None if it is."""
    return next((entry.reason for entry in NOT_RUN if re.search(entry.pattern, command)), None)


def serving(command: str) -> Serving | None:
    """Return how to see that a command is ready that runs until it is stopped, or None if it ends."""
    return next((entry for entry in SERVING if re.search(entry.pattern, command)), None)


def may_fail(command: str) -> bool:
    """Whether the exit status of a command is ignored."""
    return any(re.search(entry.pattern, command) for entry in MAY_FAIL)
