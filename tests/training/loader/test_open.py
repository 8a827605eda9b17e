from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.loader import open as open_module
from training.loader.memory import window_buffers
from training.loader.open import choose_home, open_source
from training.loader.order import Order, Position
from training.loader.ram import RamSource
from training.loader.stream import StreamSource
from training.samples.samples import Samples, cross

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CLIPS = np.arange(64)
SIDES = [cross(CLIPS, CLIPS, (0, 1, 2)), cross(CLIPS, CLIPS, (0,))]
SAMPLE = 16 * 32 * 2
"""Bytes: 16 mel bands × 32 frames of float16."""
SIZE = 4 * 64 * SAMPLE
WINDOW = 6 * 32 * SAMPLE
"""The larger side has six cells."""


@pytest.fixture
def store(two_corpora: Path) -> FeatureStore:
    return FeatureStore.open(two_corpora)


def test_on_a_cpu_samples_are_kept_in_memory_where_all_of_them_fit(store: FeatureStore) -> None:
    assert choose_home(store, SIDES, ("mel",), CPU, SIZE) == "ram"
    assert choose_home(store, SIDES, ("mel",), CPU, SIZE - 1) == "stream"
    assert choose_home(store, SIDES, ("mel",), CPU, SIZE, "stream") == "stream"
    assert choose_home(store, SIDES, ("mel",), CPU) == "ram"


def test_on_a_gpu_the_nearest_memory_that_holds_all_is_taken(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_module, "gpu_budget", lambda _: SIZE)
    assert choose_home(store, SIDES, ("mel",), GPU, 0) == "device"
    assert choose_home(store, SIDES, ("mel",), GPU, SIZE, "ram") == "ram"
    monkeypatch.setattr(open_module, "gpu_budget", lambda _: SIZE - 1)
    assert choose_home(store, SIDES, ("mel",), GPU, SIZE) == "ram"
    assert choose_home(store, SIDES, ("mel",), GPU, SIZE - 1) == "stream"
    with pytest.raises(RunError, match=r"the 256 samples take .* of the GPU's memory .* --loader ram"):
        choose_home(store, SIDES, ("mel",), GPU, SIZE, "device")


def test_a_home_that_is_too_small_is_refused_with_the_next_step(store: FeatureStore) -> None:
    for wanted in ("ram", "device"):
        with pytest.raises(
            RunError, match=r"256 samples take .* GB of memory may be used; use --loader stream"
        ):
            choose_home(store, SIDES, ("mel",), CPU, SIZE - 1, wanted)
    for wanted in ("auto", "stream"):
        assert choose_home(store, SIDES, ("mel",), CPU, WINDOW, wanted) == "stream"
        with pytest.raises(RunError, match=r"a window of samples takes .*--memory"):
            choose_home(store, SIDES, ("mel",), CPU, WINDOW - 1, wanted)


def test_a_stream_that_has_room_for_one_window_does_without_reading_ahead(store: FeatureStore) -> None:
    assert [window_buffers(10, budget) for budget in (10, 19, 20, 1000)] == [1, 1, 2, 2]
    order = Order.of(store, SIDES[0], 5)
    tight, roomy = (
        StreamSource(store, SIDES[0], ("mel",), CPU, budget).batches(order, Position(0))
        for budget in (WINDOW, 2 * WINDOW)
    )
    assert all(torch.equal(a.features, b.features) for a, b in zip(tight, roomy, strict=True))
    with pytest.raises(RunError, match="a window of samples"):
        StreamSource(store, SIDES[0], ("mel",), CPU, WINDOW - 1).batches(order, Position(0))


def test_sources_are_what_their_home_says(store: FeatureStore) -> None:
    assert isinstance(open_source(store, SIDES[1], ("mel",), "stream", CPU), StreamSource)
    for home in ("ram", "device"):
        source = open_source(store, SIDES[1], ("mel",), home, CPU)
        assert isinstance(source, RamSource)
        assert source.features.shape == (64, 16, 32)


def test_the_samples_of_no_side_take_no_memory(store: FeatureStore) -> None:
    nothing = np.array([], dtype=np.int64)
    assert choose_home(store, [Samples(nothing, nothing, nothing)], ("mel",), CPU, 0) == "ram"
    assert choose_home(store, [], ("mel",), CPU, 0, "stream") == "stream"
