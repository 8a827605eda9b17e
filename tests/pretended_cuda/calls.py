"""Answers what Python asks of torch as if tagged tensors were on a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from tests.pretended_cuda.tags import (
    GPU,
    device_of,
    is_on_device,
    is_pinned,
    tag_in_memory,
    tag_on_device,
    tag_pinned,
    tensors_in,
)
from tests.pretended_cuda.waits import HostWaits

_FROM_VALUES = (torch.tensor, torch.as_tensor, torch.asarray, torch.Tensor.new_tensor)
_NUMBERS = (
    torch.Tensor.item,
    torch.Tensor.__bool__,
    torch.Tensor.__float__,
    torch.Tensor.__int__,
    torch.Tensor.__index__,
    torch.is_nonzero,
)
"""Of these, torch's dispatcher sees nothing in inference mode."""
_LSTM_IN_HALF = (
    "CUDA's autocast runs an LSTM in float16, also where it was asked for bfloat16, and nothing scales its "
    "gradients"
)


def _getter(attribute: str) -> Any:
    """What torch calls to read an attribute of a tensor. To mypy an attribute is its value."""
    return vars(torch._C.TensorBase)[attribute].__get__


class AnswerCalls(TorchFunctionMode):
    """Devices as tagged, copies between them, and factories."""

    def __init__(self, waits: HostWaits) -> None:
        super().__init__()
        self._waits = waits
        self._answers: dict[Any, Callable[..., Any]] = {
            _getter("device"): device_of,
            _getter("is_cuda"): is_on_device,
            _getter("is_cpu"): lambda t: not is_on_device(t),
            torch.Tensor.get_device: lambda t: 0 if is_on_device(t) else -1,
            torch.Tensor.is_pinned: is_pinned,
            torch.Tensor.pin_memory: lambda t: tag_pinned(t.clone()),
            torch.Tensor.to: self._to,
            torch.Tensor.cpu: lambda t: self._to(t, "cpu"),
            torch.Tensor.cuda: lambda t: self._to(t, GPU),
        }

    def __torch_function__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        if func in self._answers:
            return self._answers[func](*args, **named)
        if func in (torch.Tensor.numpy, torch.Tensor.__array__, torch.Tensor.data_ptr) and is_on_device(
            args[0]
        ):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to "
                "host memory first."
            )
        if func is torch.Tensor.tolist and is_on_device(args[0]):
            return self._to(args[0], "cpu").tolist()
        if func in _NUMBERS and is_on_device(args[0]):
            self._waits.add("number")
            with _disable_current_modes():  # which would count it again
                return func(*args)
        if func is torch.lstm and is_on_device(args[0]) and torch.is_autocast_enabled("cpu"):
            raise RuntimeError(_LSTM_IN_HALF)
        return self._make(func, args, named)

    def _make(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call ``func``; if it makes a tensor on the device or in pinned memory, tag it."""
        pinned = bool(kwargs.pop("pin_memory", False))
        device = kwargs.get("device")
        there = device is not None and torch.device(device).type == "cuda"
        if there:
            kwargs["device"] = "cpu"
        result = func(*args, **kwargs)
        if func is torch.Tensor.__deepcopy__:
            there = is_on_device(args[0])
        if there or (func is torch.Tensor.new_tensor and is_on_device(args[0])):
            if func in _FROM_VALUES:
                self._waits.add("values sent to the device")
            for tensor in tensors_in(result):
                tag_on_device(tensor)
        elif pinned:
            tag_pinned(result)
        return result

    def _to(self, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """``Tensor.to`` in all its forms."""
        if args and isinstance(args[0], torch.Tensor):
            args = (device_of(args[0]), args[0].dtype, *args[1:])
        copy = bool(kwargs.pop("copy", False))
        layout = kwargs.pop("memory_format", None)
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        there = is_on_device(tensor) if device is None else device.type == "cuda"
        same = there == is_on_device(tensor)
        options = {} if layout is None else {"memory_format": layout}
        if not same:
            self._count(tensor, bool(non_blocking), there=there)
        moved = tensor.to(dtype or tensor.dtype, copy=copy or not same, **options)
        if same:
            return moved
        if not there:
            return tag_in_memory(moved)
        return tag_on_device(moved)

    def _count(self, tensor: torch.Tensor, non_blocking: bool, *, there: bool) -> None:
        if not there:
            self._waits.add("copy from the device")
        elif not (non_blocking and is_pinned(tensor)):
            self._waits.add("copy to the device")
