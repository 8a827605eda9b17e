"""Keep freed memory instead of giving it back to the system after every batch."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_ONE_GIB = 2**30


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
