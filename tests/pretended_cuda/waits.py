"""Counts how often the host waits for the pretended device, and which line of this project is the cause."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch
from torch.utils._python_dispatch import _disable_current_modes

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = tuple(f"{_ROOT / name}/" for name in ("benchmarks", "featurestore", "pipelines", "training"))


@dataclass(frozen=True)
class Wait:
    """One cause of waits: what was asked of the device, and where."""

    cause: str
    file: str
    """Relative to the repository; empty if no line of this project asked for it."""
    line: int

    def __str__(self) -> str:
        return f"{self.cause} at {self.file}:{self.line}" if self.file else self.cause


@dataclass(eq=False)
class HostWaits:
    """Waits so far; :meth:`forget` starts again."""

    by_cause: Counter[Wait] = field(default_factory=Counter)
    capturing: bool = False
    """While a graph is captured, a wait is an error."""
    _on_their_way: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)

    def arrive_later(self, to: torch.Tensor, source: torch.Tensor) -> None:
        """A copy to pinned memory that nobody waits for: nonsense is there until the next wait."""
        with _disable_current_modes():
            self._on_their_way.append((to, source.clone()))
            to.fill_(float("nan") if to.is_floating_point() else 0)

    def add(self, cause: str, count: int = 1) -> None:
        if count and self.capturing:
            raise RuntimeError(
                f"CUDA error: operation not permitted when stream is capturing ({_here(cause)})"
            )
        if count:
            self.by_cause[_here(cause)] += count
            with _disable_current_modes(), torch.inference_mode():
                for to, source in self._on_their_way:
                    to.copy_(source)
            self._on_their_way.clear()

    def forget(self) -> None:
        self.by_cause.clear()

    @property
    def total(self) -> int:
        return self.by_cause.total()

    def by_file(self) -> dict[str, int]:
        """Waits of each file of this project that caused any."""
        found: Counter[str] = Counter()
        for wait, count in self.by_cause.items():
            found[wait.file] += count
        return dict(sorted(found.items()))

    def __str__(self) -> str:
        """One line per cause, most frequent first: what an assertion shows."""
        return "\n".join(f"{count} × {wait}" for wait, count in self.by_cause.most_common())


def _here(cause: str) -> Wait:
    """The innermost running line of this project."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PACKAGES):
            return Wait(cause, str(Path(name).relative_to(_ROOT)), frame.f_lineno)
        frame = frame.f_back
    return Wait(cause, "", 0)
