"""Memory of a process and all its descendants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Peak:
    """Largest memory observed, in bytes; shared pages are counted once."""

    bytes: int = 0


@contextmanager
def peak_memory(pid: int, every_s: float = 0.5) -> Iterator[Peak]:
    """Watch the proportional set size of ``pid`` and its descendants while the block runs.

    The interval is long because reading the size walks all pages of a process and blocks its memory.
    """
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            peak.bytes = max(peak.bytes, sum(map(_memory, _family(pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _family(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [pid, *(member for child in children for member in _family(child))]


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
