"""One sentence for a process that does not get the memory it asks for."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from schemas.errors import SerError

_MESSAGES = re.compile(
    r"failed to map segment|cannot allocate memory|can't allocate memory|not enough memory|"
    r"can't start new thread",
    re.IGNORECASE,
)
"""What the dynamic linker, PyTorch and Python say when the system refuses memory."""

_RAISED = (ImportError, OSError, RuntimeError)


def explain_shortage(error: BaseException) -> SerError | None:
    """The sentence if ``error`` comes from a lack of memory, or None."""
    if not any(map(_is_shortage, _chain(error))):
        return None
    limit = _address_space_limit()
    if limit is None:
        return SerError("there is not enough free memory; free some and run the same command again")
    return SerError(
        f"this process may use {limit / 1e9:.3g} GB of address space (ulimit -v), which is too little; raise "
        "the limit and run the same command again"
    )


def _is_shortage(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return isinstance(error, _RAISED) and _MESSAGES.search(str(error)) is not None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _address_space_limit() -> int | None:
    """Bytes that ``ulimit -v`` allows; None if it is not limited, or on a system without such limits."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
