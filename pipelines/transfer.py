"""Copies between host memory and a device: one each way per batch, through pinned memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch


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


def copy_to_host(tensors: Sequence[torch.Tensor]) -> list[npt.NDArray[Any]]:
    """The tensors as arrays in host memory, in one copy; on a CPU they share memory.

    The arrays of a GPU are parts of one block of pinned memory, which lives as long as any of them.
    """
    if tensors[0].device.type == "cpu":
        return [tensor.numpy() for tensor in tensors]
    # Numbers of more bytes come first, so that each part begins at a multiple of its numbers' size.
    order = sorted(range(len(tensors)), key=lambda index: -tensors[index].element_size())
    packed = torch.cat([tensors[index].contiguous().view(-1).view(torch.uint8) for index in order])
    in_memory = torch.empty(packed.shape, dtype=torch.uint8, pin_memory=True).copy_(packed)
    arrays: dict[int, npt.NDArray[Any]] = {}
    start = 0
    for index in order:
        tensor = tensors[index]
        stop = start + tensor.numel() * tensor.element_size()
        arrays[index] = in_memory[start:stop].view(tensor.dtype).view(tensor.shape).numpy()
        start = stop
    return [arrays[index] for index in range(len(tensors))]
