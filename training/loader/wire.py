"""Transfer of batches from memory to the training device, as stored: float16 stays float16."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

_IN_FLIGHT = 3
"""Batches that may be on their way to a GPU while the next one is filled."""


@dataclass(eq=False)
class Wire:
    """Provides memory to fill with a batch, and sends the batch.

    For a GPU this is pinned memory, reused after its copy has finished, so that copying and computing
    overlap. For a CPU each batch has its own memory, which is not copied.
    """

    shape: tuple[int, int]
    """Coefficients and frames of a sample."""
    dtype: torch.dtype
    device: torch.device
    _next: int = 0
    _pinned: list[Tensor] = field(default_factory=list)
    _copied: list[torch.cuda.Event] = field(default_factory=list)

    def target(self, count: int) -> Tensor:
        """Memory (count, C, T) to fill and then to :meth:`send` before requesting the next."""
        if self.device.type != "cuda":
            return torch.empty((count, *self.shape), dtype=self.dtype)
        if len(self._pinned) < _IN_FLIGHT:
            self._next = len(self._pinned)
            self._pinned.append(self._new_pinned(count))
            self._copied.append(torch.cuda.Event())  # type: ignore[no-untyped-call]
        else:
            self._next = (self._next + 1) % _IN_FLIGHT
            self._copied[self._next].synchronize()
            if len(self._pinned[self._next]) < count:
                self._pinned[self._next] = self._new_pinned(count)
        return self._pinned[self._next][:count]

    def send(self, filled: Tensor) -> Tensor:
        """(B, 1, C, T) on the device, from filled memory of :meth:`target`."""
        if self.device.type != "cuda":
            return filled.unsqueeze(1)
        sent = filled.to(self.device, non_blocking=True)
        self._copied[self._next].record(torch.cuda.current_stream(self.device))
        return sent.unsqueeze(1)

    def _new_pinned(self, count: int) -> Tensor:
        with torch.inference_mode(mode=False):  # it may outlive the evaluation that created it
            return torch.empty((count, *self.shape), dtype=self.dtype, pin_memory=True)
