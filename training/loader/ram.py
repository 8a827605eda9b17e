"""Source that holds its whole selection in memory, on the training device where it fits.

::

    store: view 0 ▒▒▒▒▒▒▒▒▒▒   view 1 ▒▒▒▒▒▒▒▒▒▒        runs of ≤ 1024 clips, each read once
                 └──┬───┘└┬┘        └──┬───┘└┬┘
    memory: (samples, coefficients, frames) float16     batches gathered by index
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.loader.source import Batch
from training.samples import Samples

RUN_CLIPS = 1024
"""Clips that are read at once, at most: 46 MB a run at 170 × 130 float16."""

SHARE_OF_GPU = 0.7
"""Of the free GPU memory that features may take; the rest is the model's."""

SHARE_OF_MEMORY = 0.9
"""Of the machine's memory that features may take."""


class RamSource:
    """Samples in memory: ``features`` (n, C, T), ``valid_frames`` (n,) and ``targets`` (n,) int64.

    The tensors may lie in CPU memory while training runs on a GPU; batches then travel one by one.
    """

    def __init__(self, features: Tensor, valid_frames: Tensor, targets: Tensor, device: torch.device) -> None:
        self.features = features
        self.valid_frames = valid_frames.to(features.device)
        self.targets = targets.to(features.device)
        self.device = device

    def __len__(self) -> int:
        return len(self.features)

    def gather(self, indices: NDArray[np.int64]) -> Batch:
        """Samples ``indices`` (B,) on the training device, in that order."""
        at = torch.from_numpy(indices).to(self.features.device)
        return Batch(
            features=self.features.index_select(0, at).unsqueeze(1).to(self.device),
            valid_frames=self.valid_frames.index_select(0, at).to(self.device),
            targets=self.targets.index_select(0, at).to(self.device),
        )


def read_samples(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    home: torch.device,
    device: torch.device,
    loaded: Callable[[int], None] = lambda _: None,
) -> RamSource:
    """Read ``samples`` of ``store`` into memory, features stacked along the coefficients in order.

    They are kept on ``home``, where :func:`home_of` found room, and batches are given on ``device``.
    ``loaded`` is called with the number of samples after every run.
    """
    shape = (len(samples), _coefficients(store, features), store.spec.frames)
    stacked = torch.empty(shape, dtype=_dtype(store), device=home)
    valid = torch.empty(len(samples), dtype=torch.int64)
    for run in runs(samples):
        clips, view = samples.clips[run], int(samples.views[run.start])
        arrays = store.read(clips, views=(view,), features=tuple(features))
        # One copy: from each feature's array into its rows of the stack.
        row = 0
        for feature in features:
            array = torch.from_numpy(np.ascontiguousarray(arrays[feature][0]))
            stacked[run, row : row + array.shape[1]] = array.to(stacked.device)
            row += array.shape[1]
        valid[run] = torch.from_numpy(store.valid_frames(clips, views=(view,))[0].astype(np.int64))
        loaded(run.stop - run.start)
    return RamSource(stacked, valid, torch.from_numpy(samples.targets.astype(np.int64)), device)


def runs(samples: Samples) -> Iterator[slice]:
    """Slices of ``samples`` that are of one view and ascend in the manifest, of ≤ 1024 each.

    Gaps do not end a run: the store is asked for all clips of a run at once and decodes each chunk once.
    """
    breaks = np.flatnonzero((np.diff(samples.views) != 0) | (np.diff(samples.clips) <= 0)) + 1
    edges = [0, *(int(edge) for edge in breaks), len(samples)]
    for start, stop in pairwise(edges):
        for first in range(start, stop, RUN_CLIPS):
            yield slice(first, min(first + RUN_CLIPS, stop))


def home_of(
    store: FeatureStore, sides: Collection[Samples], features: Sequence[str], device: torch.device
) -> torch.device:
    """Where the samples of all ``sides`` are kept: the training device if they fit there, else the CPU.

    Raises :class:`RunError` where together they are larger than the machine's memory.
    """
    count = sum(map(len, sides))
    size = count * _coefficients(store, features) * store.spec.frames * _dtype(store).itemsize
    if device.type == "cuda" and size <= SHARE_OF_GPU * torch.cuda.mem_get_info(device)[0]:
        return device
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > SHARE_OF_MEMORY * memory:
        raise RunError(
            f"the {count} samples take {size / 1e9:.1f} GB and this machine has {memory / 1e9:.1f} GB of "
            "memory; train on fewer views (--views 0)"
        )
    return torch.device("cpu")


def _coefficients(store: FeatureStore, features: Sequence[str]) -> int:
    return sum(store.spec.coefficients[feature] for feature in features)


def _dtype(store: FeatureStore) -> torch.dtype:
    return torch.float16 if store.spec.storage.dtype == "float16" else torch.float32
