"""Settings of a process that computes much: how memory is kept and how idle threads wait."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_ONE_GIB = 2**30
_SHORT_SPIN = "1000"

_BYTES_A_JOB = 2**30
"""A worker process takes about half of this, the build beside it less than another."""


def usable_jobs() -> int:
    """Clips to compute at the same time: one a core that this process may use, as far as memory is free."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, _available_memory() // _BYTES_A_JOB))


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to reuse large blocks; returns whether it did (False on other C libraries).

    By default each tensor of some megabytes is mapped afresh and its pages are faulted in one by one,
    which costs more than the arithmetic on them. The setting holds for the whole process.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    kept: bool = (
        libc.mallopt(_M_MMAP_THRESHOLD, _ONE_GIB) == 1 and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) == 1
    )
    return kept


def compute_alone() -> None:
    """Let the calling thread compute without helpers of OpenMP: other threads do as it does."""
    import torch

    torch.set_num_threads(1)


@contextmanager
def alone() -> Iterator[None]:
    """Compute without helpers for a while: how many there are decides the order of sums, so the last bits."""
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
    """Let OpenMP's threads wait for each other without burning a core that another process needs.

    By default GNU OpenMP spins for milliseconds, so that beside one busy process a training falls to a
    fraction of its speed; a short spin costs nothing on an idle machine. Works in a process that has
    not imported torch yet, and leaves the user's own ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SHORT_SPIN)


def _available_memory() -> int:
    """Bytes that can be had without swapping, the page cache among them."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
