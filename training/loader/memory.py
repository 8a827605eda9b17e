"""Memory that samples need, and memory that is available."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import torch

from featurestore.store import FeatureStore
from pipelines.machine import available_memory
from schemas.errors import RunError

SHARE_OF_FREE_MEMORY = 0.5
"""Share of the free memory that samples may take by default; the page cache needs some of the rest."""

SHARE_OF_GPU = 0.7
"""Share of the free GPU memory that samples may take; the model needs the rest."""


def stored_dtype(store: FeatureStore) -> torch.dtype:
    """Dtype of a store's features."""
    return torch.float16 if store.spec.storage.dtype == "float16" else torch.float32


def sample_bytes(store: FeatureStore, features: Sequence[str]) -> int:
    """Bytes of one sample with ``features``, as stored."""
    coefficients = sum(store.spec.coefficients[feature] for feature in features)
    return coefficients * store.spec.common_frames(features) * stored_dtype(store).itemsize


def default_budget() -> int:
    """Bytes of the machine's memory that samples may take: half of the free memory."""
    return int(SHARE_OF_FREE_MEMORY * available_memory())


def gpu_budget(device: torch.device) -> int:
    """Bytes of a GPU's memory that samples may take."""
    return int(SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0])


def allocate_pages(count: int, shape: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    """Allocate memory for ``count`` samples of ``shape`` outside the heap.

    It returns to the system when the tensor is deleted, even in a process that keeps freed memory
    (:mod:`pipelines.process`).
    """
    size = count * shape[0] * shape[1] * dtype.itemsize
    pages = mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    flat = (
        torch.frombuffer(pages, dtype=torch.uint8, count=size) if size else torch.empty(0, dtype=torch.uint8)
    )
    return flat.view(dtype).view(count, *shape)


def window_buffers(window: int, budget: int) -> int:
    """Number of windows of ``window`` bytes to hold: two, so that one is read while the other is used.

    If ``budget`` bytes have room for only one, it is one, and nothing is read ahead. Raises
    :class:`RunError` if there is no room for one.
    """
    if window > budget:
        raise RunError(
            f"a window of samples takes {window / 1e9:.2g} GB, but only {budget / 1e9:.2g} GB may be used; "
            "allow more with --memory, or build a store with fewer features"
        )
    return 2 if 2 * window <= budget else 1
