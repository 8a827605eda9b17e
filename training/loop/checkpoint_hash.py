"""The hash of a checkpoint, in its own header, because checkpoints are replaced while a run is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from schemas.model import canonical_json

KEY = "sha256"
"""Key of the hash in a checkpoint's state; checkpoints of older versions have none."""


def hash_of(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> str:
    """SHA-256 of names, types, shapes and bytes of the tensors, and of the state without its own hash."""
    digest = hashlib.sha256(canonical_json({key: state[key] for key in state if key != KEY}).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
