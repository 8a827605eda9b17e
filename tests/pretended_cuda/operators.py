"""Watches every operator: devices that mix raise, results inherit the device, waits are counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.pretended_cuda.graphs import Graphs
from tests.pretended_cuda.tags import is_on_device, is_pinned, storage_of, tag_on_device, tensors_in
from tests.pretended_cuda.waits import HostWaits

_WAITING = {
    "_local_scalar_dense": 1,
    "_unique2": 1,
    "bincount": 2,  # of the smallest and the largest value
    "equal": 1,
    "masked_select": 1,
    "nonzero": 1,
    "unique_consecutive": 1,
    "unique_dim": 1,
}
"""Operators whose CUDA version returns a number, or a tensor whose size follows from values."""

_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")


class WatchOperators(TorchDispatchMode):
    """Sees what autograd and the optimisers do, too, as it is below them."""

    def __init__(self, waits: HostWaits, graphs: Graphs) -> None:
        super().__init__()
        self._waits, self._graphs = waits, graphs

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        given = tensors_in((args, kwargs))
        on_device = [tensor for tensor in given if is_on_device(tensor)]
        if name == "copy_":
            self._copied(
                args[0], args[1], bool(kwargs.get("non_blocking", args[2] if len(args) > 2 else False))
            )
        elif on_device:
            _require_one_device(name, args, [tensor for tensor in given if not is_on_device(tensor)])
            self._waits.add(name, _waits_of(name, args, kwargs))
        if name == "copy_" and is_on_device(args[1]) and is_pinned(args[0]):
            self._waits.arrive_later(args[0], args[1])
            return args[0]
        result = self._graphs.run(func, args, dict(kwargs), given)
        if on_device and name != "copy_":
            known = {storage_of(tensor) for tensor in given}
            for tensor in tensors_in(result):
                if storage_of(tensor) not in known:
                    tag_on_device(tensor)
        return result

    def _copied(self, to: torch.Tensor, source: torch.Tensor, non_blocking: bool) -> None:
        if is_on_device(to) == is_on_device(source):
            return
        if is_on_device(source):
            if not (non_blocking and is_pinned(to)):
                self._waits.add("copy from the device")
        elif not (non_blocking and is_pinned(source)):
            self._waits.add("copy to the device")


def _require_one_device(name: str, args: tuple[Any, ...], in_memory: list[torch.Tensor]) -> None:
    """Raise as CUDA does. A number in memory goes with a kernel, and an index may lie in memory."""
    if name in _INDEXING and is_on_device(args[0]):
        in_memory = [value for value in tensors_in(args[2:]) if not is_on_device(value)]
    shapes = [tuple(tensor.shape) for tensor in in_memory if tensor.dim()]
    if shapes:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
            f"({name}; in memory: {shapes})"
        )


def _waits_of(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    if name in _INDEXING:
        indices = tensors_in(args[1])
        masks = sum(index.dtype in (torch.bool, torch.uint8) for index in indices)  # nonzero is called
        return masks + sum(not is_on_device(index) for index in indices)  # sent to the device
    if name == "repeat_interleave":
        return int(kwargs.get("output_size") is None)
    return _WAITING.get(name, 0)
