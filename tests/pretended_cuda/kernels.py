"""Counts operators that would launch work on the device: kernels, transforms, products and copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.pretended_cuda.tags import is_on_device, tensors_in

_NO_WORK = frozenset({"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"})
"""Operators that return a new tensor without filling it. Views need no list: their schema says so."""


@dataclass(eq=False)
class CountKernels(TorchDispatchMode):
    """Within it, ``by_name`` counts the launching operators of each name that touch the device, the pretended
    one or that of ``FakeTensorMode``.

    Composite operators are taken apart, so that what counts does not depend on how a line is written. An
    operator counts once, though some launch two or three kernels: padding fills and copies.
    """

    by_name: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace != "aten":  # prim: questions of FakeTensorMode's tensors
            return func(*args, **kwargs)
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:
                return func.decompose(*args, **kwargs)
        result = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if _launches(func, name) and any(map(_is_there, tensors_in((args, kwargs, result)))):
            self.by_name[name] += 1
        return result

    @property
    def total(self) -> int:
        return self.by_name.total()

    def __str__(self) -> str:
        """Most frequent first: what an assertion shows."""
        return ", ".join(f"{count} {name}" for name, count in self.by_name.most_common())


def _is_there(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cuda" or is_on_device(tensor)


def _launches(func: Any, name: str) -> bool:
    if name in _NO_WORK:
        return False
    results = func._schema.returns
    is_view = any(each.alias_info is not None and not each.alias_info.is_write for each in results)
    return bool(results) and not is_view
