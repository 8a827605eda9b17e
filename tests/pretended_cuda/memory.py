"""Follows how many bytes of the device are in use, at the operators' results."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from tests.pretended_cuda.tags import tensors_in


@dataclass(eq=False)
class FollowMemory(TorchDispatchMode):
    """Within it, ``peak`` is the largest sum of the storages that FakeTensorMode has on its device at a time.

    What an operator allocates for itself, as transforms do, is not seen.
    """

    peak: int = 0
    _live: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if tensor.device.type == "cuda" and key not in self._live:
                self._live[key] = storage.nbytes()
                weakref.finalize(storage, self._live.pop, key)
                self.peak = max(self.peak, sum(self._live.values()))
        return result
