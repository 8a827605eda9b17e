"""Events that are counted, and CUDA graphs that really replay.

A capture records operators and undoes what they wrote, as CUDA does not run them. A replay runs them again on
the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from tests.pretended_cuda.streams import Stream, Streams
from tests.pretended_cuda.tags import storage_of, tensors_in
from tests.pretended_cuda.waits import HostWaits


@dataclass(eq=False)
class Event:
    """Waiting for an event that was recorded long ago takes no time; it is counted all the same."""

    waits: HostWaits
    recorded: bool = False

    def record(self, *_: object) -> None:
        self.recorded = True

    def synchronize(self) -> None:
        if self.recorded:
            self.waits.add("event")


@dataclass(eq=False)
class CapturedGraph:
    """``torch.cuda.CUDAGraph``."""

    operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = field(default_factory=list)

    def replay(self) -> None:
        # Below autograd, as recorded; with gradients, as the CPU's LSTM keeps its workspace only then.
        with torch.enable_grad(), torch._C._AutoDispatchBelowAutograd(), _disable_current_modes():
            for func, args, kwargs, result in self.operations:
                known = {storage_of(tensor) for tensor in tensors_in((args, kwargs))}
                for kept, made in zip(tensors_in(result), tensors_in(func(*args, **kwargs)), strict=True):
                    if storage_of(kept) not in known:
                        kept.copy_(made)


@dataclass(eq=False)
class Graphs:
    """Runs operators, and records them while a graph is captured."""

    waits: HostWaits
    streams: Streams
    _captured: CapturedGraph | None = None
    _before: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    """Of each storage that existed before the capture: its bytes, and what they were."""
    _made: set[int] = field(default_factory=set)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: list[torch.Tensor]) -> Any:
        """``func(*args, **kwargs)``."""
        if self._captured is None:
            return self.streams.run(func, args, kwargs, given)
        for tensor in given:  # also of operators that declare no writing: batch norm writes its statistics
            key = storage_of(tensor)
            if key not in self._made and key not in self._before:
                stored = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
                self._before[key] = stored, stored.clone()
        result = self.streams.run(func, args, kwargs, given)
        known = {storage_of(tensor) for tensor in given}
        self._made |= {storage_of(tensor) for tensor in tensors_in(result)} - known
        self._captured.operations.append((func, args, kwargs, result))
        return result

    @contextmanager
    def capture(self, graph: CapturedGraph, *, stream: Stream | None = None, **_: object) -> Iterator[None]:
        """``torch.cuda.graph``."""
        stream = stream or Stream()
        stream.wait_stream(self.streams.current())  # torch synchronises
        self._captured, self.waits.capturing = graph, True
        drawn = torch.get_rng_state()  # a capture draws nothing
        try:
            with self.streams.require_joined(stream):
                yield
        finally:
            self._captured, self.waits.capturing = None, False
            torch.set_rng_state(drawn)
            for _, args, kwargs, result in graph.operations:  # nothing was written
                self.streams.forget(tensors_in((args, kwargs, result)))
            with _disable_current_modes():
                for stored, before in self._before.values():
                    stored.copy_(before)
            self._before.clear()
            self._made.clear()
