"""The context in which a CUDA device exists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils import _foreach_utils

from tests.pretended_cuda.calls import AnswerCalls
from tests.pretended_cuda.graphs import CapturedGraph, Event, Graphs
from tests.pretended_cuda.operators import WatchOperators
from tests.pretended_cuda.streams import Stream, Streams
from tests.pretended_cuda.tags import GPU, is_on_device
from tests.pretended_cuda.waits import HostWaits

_MEMORY = 140 * 2**30


@contextmanager
def pretend_cuda() -> Iterator[HostWaits]:
    """Within it, one CUDA device is there for this thread; yields the host's waits for it.

    Raises what CUDA raises if devices mix, if a tensor of the device reaches numpy, and if the host waits
    while a graph is captured or work is not joined to it; and RuntimeError for a race between streams, and
    for an LSTM that autocast would run in float16.
    """
    waits = HostWaits()
    streams = Streams()
    graphs = Graphs(waits, streams)

    answers: dict[str, object] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_current_stream_capturing": lambda: waits.capturing,
        "set_device": lambda _: None,
        "get_device_name": lambda *_: "a pretended device",
        "get_device_capability": lambda *_: (9, 0),
        "mem_get_info": lambda *_: (_MEMORY, _MEMORY),
        "empty_cache": lambda: None,
        "synchronize": lambda *_: waits.add("synchronize"),
        "current_stream": streams.current,
        "stream": streams.use,
        "graph": graphs.capture,
        "CUDAGraph": CapturedGraph,
    }
    with ExitStack() as stack:
        for name, value in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, value))
        # The classes are also default factories of dataclasses, so they must stay the same objects.
        stack.enter_context(
            mock.patch.object(torch.cuda.Stream, "__new__", side_effect=lambda *_, **__: Stream())
        )
        stack.enter_context(
            mock.patch.object(torch.cuda.Event, "__new__", side_effect=lambda *_, **__: Event(waits))
        )
        stack.enter_context(mock.patch("torch.backends.cudnn.is_acceptable", return_value=False))
        stack.enter_context(mock.patch("torch.autocast", _Autocast))
        for module in ("torch.optim.optimizer", "torch.nn.utils.clip_grad"):
            name = f"{module}._group_tensors_by_device_and_dtype"
            stack.enter_context(mock.patch(name, _group_by_tag))
        stack.enter_context(WatchOperators(waits, graphs))
        stack.enter_context(AnswerCalls(waits))
        yield waits


class _Autocast(torch.autocast):
    """Autocast of the device is that of the CPU, where the tensors really are."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


_group: Callable[..., dict[Any, Any]] = _foreach_utils._group_tensors_by_device_and_dtype


def _group_by_tag(lists: list[list[torch.Tensor | None]], *args: Any, **kwargs: Any) -> dict[Any, Any]:
    """Torch's grouping, which is written in C++ and does not see tags. Optimisers have one device each."""
    there = any(tensor is not None and is_on_device(tensor) for tensors in lists for tensor in tensors)
    found = _group(lists, *args, **kwargs)
    return {((GPU if there else device), dtype): group for (device, dtype), group in found.items()}
