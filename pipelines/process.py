"""Settings of a process that computes much: how memory is kept and how idle threads wait."""

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


def torch_threads() -> int:
    """Threads that torch computes with: at most the usable cores, unless ``OMP_NUM_THREADS`` is set."""
    import torch

    threads = torch.get_num_threads()
    return threads if "OMP_NUM_THREADS" in os.environ else min(threads, usable_cores())


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
