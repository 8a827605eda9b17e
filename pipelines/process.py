"""Settings of a computing process: number of jobs and threads, reuse of memory, waiting of idle threads."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.machine import available_memory, usable_cores

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_ONE_GIB = 2**30
_SHORT_SPIN = "1000"

_BYTES_PER_JOB = 2**30
"""A worker process takes about half of this; the build itself takes less."""


def usable_jobs(root: Path = Path("/")) -> int:
    """Clips to compute at the same time: one per usable core and per GiB of available memory, at least 1.

    ``root`` is the folder that holds ``proc`` and ``sys``.
    """
    return max(1, min(usable_cores(root), available_memory(root) // _BYTES_PER_JOB))


def keep_freed_memory() -> bool:
    """Make glibc's allocator reuse large blocks; returns whether it does (False on other C libraries).

    By default, each tensor of some megabytes is mapped again and its pages are faulted in one by one, which
    takes longer than the arithmetic. The setting applies to the whole process.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    kept: bool = (
        libc.mallopt(_M_MMAP_THRESHOLD, _ONE_GIB) == 1 and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) == 1
    )
    return kept


def torch_threads() -> int:
    """Threads that torch computes with: at most the usable cores, unless ``OMP_NUM_THREADS`` is set."""
    import torch

    threads = torch.get_num_threads()
    return threads if "OMP_NUM_THREADS" in os.environ else min(threads, usable_cores())


def compute_alone() -> None:
    """Make the calling thread, and threads that start computing later, work without OpenMP helper threads."""
    import torch

    torch.set_num_threads(1)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Compute without helper threads: their number determines the order of sums, and so the last bits."""
    import torch

    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def spin_briefly() -> None:
    """Make OpenMP threads spin only briefly while they wait, so that they do not occupy a core.

    By default, GNU OpenMP spins for milliseconds, and next to one busy process, training drops to a fraction
    of its speed. A short spin costs nothing on an idle machine. Must be called before torch is imported. An
    existing ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` is respected.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SHORT_SPIN)
