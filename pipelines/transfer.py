"""Brings results from the device to host memory, while the device already computes the next batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy.typing as npt
import torch

Label = TypeVar("Label")


class Transfer(Generic[Label]):
    """Groups of tensors on their way to host memory. The host waits for them once, in :meth:`receive`.

    From a GPU they are copied to pinned memory in the order of its work; torch uses this memory again when
    the arrays are gone. On a CPU nothing is copied.
    """

    def __init__(self, device: torch.device) -> None:
        self._arrived: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._groups: list[tuple[Label, list[torch.Tensor]]] = []

    def send(self, label: Label, *tensors: torch.Tensor) -> None:
        """Start to copy tensors, contiguous and on the device."""
        self._groups.append((label, [self._copy(tensor) for tensor in tensors]))

    def close(self) -> None:
        """Everything has been sent."""
        if self._arrived is not None:
            self._arrived.record()

    def receive(self) -> Iterator[tuple[Label, list[npt.NDArray[Any]]]]:
        """Wait until everything has arrived; yields each group as it was sent."""
        if self._arrived is not None:
            self._arrived.synchronize()
        for label, tensors in self._groups:
            yield label, [tensor.numpy() for tensor in tensors]

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._arrived is None:
            return tensor
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return host.copy_(tensor, non_blocking=True)
