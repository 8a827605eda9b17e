"""Tags on storages: whether their tensors lie on the pretended device, or in pinned memory.

All views of a tensor share its storage, so they share its tag. A new storage has none: it is pageable memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")


def is_on_device(tensor: torch.Tensor) -> bool:
    return getattr(tensor.untyped_storage(), "on_device", False)


def is_pinned(tensor: torch.Tensor) -> bool:
    return getattr(tensor.untyped_storage(), "pinned", False)


def tag_on_device(tensor: torch.Tensor) -> torch.Tensor:
    tensor.untyped_storage().on_device = True  # type: ignore[attr-defined]
    return tensor


def tag_pinned(tensor: torch.Tensor) -> torch.Tensor:
    tensor.untyped_storage().pinned = True  # type: ignore[attr-defined]
    return tensor


def device_of(tensor: torch.Tensor) -> torch.device:
    return GPU if is_on_device(tensor) else CPU


def storage_of(tensor: torch.Tensor) -> int:
    """Identity of a tensor's storage while it lives."""
    return tensor.untyped_storage()._cdata


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
