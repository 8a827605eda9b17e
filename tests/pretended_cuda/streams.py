"""Streams: all work is done at once, but it is an error to use what another stream may not have done yet.

A stream counts its work. It knows of another stream as much as that one had done, and knew, when it was
waited for (vector clocks: Fidge 1988, Mattern 1989). The backward pass is not watched: on a real device
autograd runs it on the streams of the forward pass and orders them; here it runs on the stream of its caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from tests.pretended_cuda.tags import is_on_device, storage_of, tensors_in


@dataclass(eq=False)
class Stream:
    """``torch.cuda.Stream``."""

    done: int = 0
    known: dict[Stream, int] = field(default_factory=dict)

    def wait_stream(self, other: Stream) -> None:
        """All later work of this stream follows all work of ``other`` so far."""
        for stream, done in [*other.known.items(), (other, other.done)]:
            self.known[stream] = max(done, self.known.get(stream, 0))

    def sees(self, other: Stream, done: int) -> bool:
        """Whether the work of ``other`` up to ``done`` comes before that of this stream."""
        return other is self or self.known.get(other, 0) >= done


@dataclass(eq=False)
class Streams:
    """The default stream, and those within whose context work is done."""

    _stack: list[Stream] = field(default_factory=lambda: [Stream()])
    _used: set[Stream] = field(default_factory=set)
    """Since the last capture began."""

    def current(self, *_: object) -> Stream:
        """``torch.cuda.current_stream``."""
        return self._stack[-1]

    @contextmanager
    def use(self, stream: Stream) -> Iterator[None]:
        """``torch.cuda.stream``."""
        self._stack.append(stream)
        try:
            yield
        finally:
            self._stack.pop()

    @contextmanager
    def require_joined(self, stream: Stream) -> Iterator[None]:
        """Work on ``stream``; raise as CUDA does after a capture if forked work was not joined to it."""
        self._used.clear()
        with self.use(stream):
            yield
        if any(not stream.sees(other, other.done) for other in self._used):
            raise RuntimeError("CUDA error: capturing stream has unjoined work")

    def forget(self, tensors: list[torch.Tensor]) -> None:
        """Any stream may use these."""
        for tensor in tensors:
            vars(tensor.untyped_storage()).pop("written", None)

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: list[torch.Tensor]) -> Any:
        """``func(*args, **kwargs)`` on the current stream."""
        stream = self.current()
        there = [tensor for tensor in given if is_on_device(tensor)]
        for tensor in there:
            writer, done = getattr(tensor.untyped_storage(), "written", (stream, 0))
            if not stream.sees(writer, done):
                raise RuntimeError(
                    f"a race: {func} uses a tensor {tuple(tensor.shape)} of a stream it does not wait for"
                )
        result = func(*args, **kwargs)
        known = {storage_of(tensor) for tensor in given}
        written = [tensor for tensor in tensors_in(result) if storage_of(tensor) not in known]
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                written += tensors_in(value)
        if there:
            stream.done += 1
            self._used.add(stream)
            for tensor in written:
                tensor.untyped_storage().written = (stream, stream.done)  # type: ignore[attr-defined]
        return result
