"""Where a test of the documentation does something else than its reader: all of it, with the reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class NotRun:
    """Commands that no test runs."""

    pattern: str
    """Regular expression; looked for in the command."""
    reason: str


@dataclass(frozen=True)
class Instead:
    """Text of a command or Python block that is replaced before it is run."""

    pattern: str
    """Regular expression."""
    by: str
    """May hold ``{stage}``, ``{bucket}``, ``{scheduler}`` and groups of the pattern (``\\1``)."""
    reason: str


@dataclass(frozen=True)
class Serving:
    """A command that goes on until it is stopped: it runs beside the rest of its page."""

    pattern: str
    ready: str
    """Regular expression: what it prints when others can use it."""


NOT_RUN: tuple[NotRun, ...] = (
    NotRun(r"^(\S*/)?pip install (?!\.$)|-m pip install", "changes the interpreter that runs the tests"),
    NotRun(r"^make (demo|test|test-all|docs)\b", "installs a virtual environment; CI runs make itself"),
    NotRun(r"^python benchmarks/", "takes minutes to hours; the results are in benchmarks/results/"),
    NotRun(
        r"--device cuda\b|--cuda-graphs\b|\bdask cuda\b",
        "needs a GPU; tests/featurestore/compute/test_gpu_path.py",
    ),
    NotRun(r"^ser-features download (?!.*--help)", "asks a server on the internet; tests/data/download"),
)

_TRAINS = (
    r"^((?:torchrun .*?\$\(which ser-train\))|ser-train)(?!\S)(?![^#]*--(?:help|resume|model functionals))"
)

INSTEAD: tuple[Instead, ...] = (
    Instead(
        r"(?<=\s)--epochs [0-9]+",
        "--epochs 3",
        "networks are trained briefly: that all works is to be seen, not how well they learn",
    ),
    Instead(
        f"{_TRAINS}(?=[^#]*--recipe ravdess-functionals)(?![^#]*--epochs)",
        r"\1 --epochs 5",
        "the same; its learning rate rises for four epochs",
    ),
    Instead(f"{_TRAINS}(?![^#]*--epochs)", r"\1 --epochs 1", "the same"),
    Instead(
        f"{_TRAINS}(?![^#]*--(?:views|leak-views))",
        r"\1 --views 0",
        "the same: on originals, a sixth of the time",
    ),
    Instead(
        r"^pip install \.$",
        "pip install --quiet --no-index --no-deps --no-build-isolation --target site-packages . && "
        "export PYTHONPATH=$PWD/site-packages",
        "into a folder of the page's own: the interpreter stays as it is",
    ),
    Instead(r"--store gpu\.zarr", "--store features.zarr", "a store that it takes a GPU to build"),
    Instead(r"s3://lab\b", "s3://{bucket}", "a bucket of the page's own, on a server on loopback"),
    Instead(r"(?<![\w.])/data/", "{stage}/data/", "a folder of the page's own"),
    Instead(r"/nfs/", r"{stage}/", "a folder that all hosts see"),
    Instead(r"tcp://head:8786", "{scheduler}", "a real scheduler with a worker, at another address"),
    Instead(
        r"^dask scheduler\b",
        r"dask scheduler --host 127.0.0.1 --port 0 --no-dashboard",
        "on loopback, at a port that is free",
    ),
    Instead(r"^dask worker\b", r"dask worker --no-dashboard", "two pages run at the same time"),
)

SERVING: tuple[Serving, ...] = (
    Serving(r"^dask scheduler\b", r"Scheduler at: +(?P<address>tcp://\S+)"),
    Serving(r"^dask worker\b", r"Registered to:"),
    Serving(r"^ser-demo\b(?!.*--help)", r"http://127\.0\.0\.1"),
)

MAY_FAIL: tuple[NotRun, ...] = (
    NotRun(r"^ser-features compare\b", "exits with 1 where the stores differ, as diff does"),
)
"""Commands whose exit status may be another than 0 though the page shows no line ``error: …``."""


def reason_not_to_run(command: str) -> str | None:
    """Why a command is not run; None where it is."""
    return next((entry.reason for entry in NOT_RUN if re.search(entry.pattern, command)), None)


def serving(command: str) -> Serving | None:
    """How to know that a command which does not end is ready; None for one that ends."""
    return next((entry for entry in SERVING if re.search(entry.pattern, command)), None)


def may_fail(command: str) -> bool:
    """Whether the exit status of a command says nothing."""
    return any(re.search(entry.pattern, command) for entry in MAY_FAIL)
