"""Choose where samples are kept: on the training device, in memory, or in the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch

from featurestore.read.selection import Layers
from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.loader.cells import Cells
from training.loader.memory import default_budget, gpu_budget, sample_bytes, window_buffers
from training.loader.order import WINDOW_CHUNKS
from training.loader.ram import RamSource
from training.loader.source import Source
from training.loader.stream import StreamSource
from training.runs.request import Home, LoaderChoice
from training.samples.samples import Samples


def choose_home(
    store: FeatureStore,
    sides: Collection[Samples],
    features: Sequence[str],
    device: torch.device,
    budget: int | None = None,
    wanted: LoaderChoice = "auto",
) -> Home:
    """Choose the fastest home that has room for the samples of all ``sides``.

    ``budget``: bytes of the machine's memory that they may take; None: half of the free memory. On a CPU,
    device and memory are the same. Raises :class:`RunError` if the wanted home has no room.
    """
    each = sample_bytes(store, features)
    count = sum(map(len, sides))
    size = count * each
    memory = default_budget() if budget is None else budget
    on_gpu = device.type == "cuda"
    if on_gpu and wanted in ("auto", "device"):
        room = gpu_budget(device)
        if size <= room:
            return "device"
        if wanted == "device":
            raise RunError(_too_large_message(count, size, room, "of the GPU's memory", "--loader ram"))
    if wanted != "stream":
        if size <= memory:
            return "ram" if wanted == "auto" else wanted
        if wanted != "auto":
            raise RunError(_too_large_message(count, size, memory, "of memory", "--loader stream"))
    chunks = max((len(Cells.of(store, side).chunk) for side in sides), default=0)
    window_buffers(min(WINDOW_CHUNKS, chunks) * store.spec.storage.chunk_clips * each, memory)
    return "stream"


def open_source(
    store: FeatureStore,
    samples: Samples,
    features: Sequence[str],
    home: Home,
    device: torch.device,
    budget: int | None = None,
    loaded: Callable[[int], None] = lambda _: None,
    layers: Layers = None,
) -> Source:
    """Source of ``samples`` at ``home``, with ``features`` stacked in order, for training on ``device``.

    ``layers`` are those of encoders to read; None: all. ``loaded`` is called with numbers of samples while
    they are read into memory. Raises :class:`StoreDamagedError` and :class:`StoreChangedError`, and
    :class:`RunError` if ``budget`` (bytes, None: half of the free memory) has no room for a window.
    """
    stream = StreamSource(
        store, samples, features, device if home == "stream" else _CPU, budget, layers=layers
    )
    if home == "stream":
        return stream
    return RamSource.read(stream, device if home == "device" else _CPU, device, loaded)


def _too_large_message(count: int, size: int, room: int, what: str, instead: str) -> str:
    return (
        f"the {count} samples take {size / 1e9:.2g} GB, but only {room / 1e9:.2g} GB {what} may be used; "
        f"use {instead}, or train on fewer views (--views 0)"
    )


_CPU = torch.device("cpu")
