"""Copies between host memory and a device through pinned memory: numbers there, results back.

Results come back while the device already computes the next batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch

Label = TypeVar("Label")


def send_words(words: npt.NDArray[np.int64], device: torch.device) -> torch.Tensor:
    """Int64 numbers on the device. The host does not wait: a GPU copies them from pinned memory."""
    pageable = torch.from_numpy(words)
    if device.type == "cpu":
        return pageable
    pinned = torch.empty(pageable.shape, dtype=pageable.dtype, pin_memory=True).copy_(pageable)
    return pinned.to(device, non_blocking=True)


def bits_of_floats(values: Sequence[float]) -> npt.NDArray[np.int64]:
    """Float64 values as int64 words with the same bits."""
    return np.array(values, dtype=np.float64).view(np.int64)


def floats_of_bits(words: torch.Tensor) -> torch.Tensor:
    """The values of :func:`bits_of_floats` as float32."""
    return words.view(torch.float64).to(torch.float32)


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
