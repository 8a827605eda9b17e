"""Tags on storages: whether their tensors lie on the pretended device, or in pinned memory.

All views of a tensor share its storage, so they share its tag. A new storage has none: it is pageable memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")


def is_on_device(tensor: torch.Tensor) -> bool:
    return bool(_tags(tensor).get("on_device"))


def is_pinned(tensor: torch.Tensor) -> bool:
    return bool(_tags(tensor).get("pinned"))


def tag_on_device(tensor: torch.Tensor) -> torch.Tensor:
    _tags(tensor)["on_device"] = True
    return tensor


def tag_in_memory(tensor: torch.Tensor) -> torch.Tensor:
    _tags(tensor)["on_device"] = False
    return tensor


def tag_pinned(tensor: torch.Tensor) -> torch.Tensor:
    _tags(tensor)["pinned"] = True
    return tensor


def _tags(tensor: torch.Tensor) -> dict[str, object]:
    """What is attached to the storage; torch gives a storage one Python object for as long as it lives."""
    return vars(tensor.untyped_storage())


def device_of(tensor: torch.Tensor) -> torch.device:
    return GPU if is_on_device(tensor) else CPU


def storage_of(tensor: torch.Tensor) -> int:
    """Identity of a tensor's storage while it lives."""
    return tensor.untyped_storage()._cdata


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
