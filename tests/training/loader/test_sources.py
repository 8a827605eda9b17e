"""All sources, both codec pipelines: what they give, in what order, to how many ranks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from featurestore.store import FeatureStore
from training.loader.open import Home, open_source
from training.loader.order import Order, Position
from training.loader.source import Batch, Share, Source
from training.loader.stream import StreamSource
from training.samples.samples import Samples

from .conftest import FEATURES

CPU = torch.device("cpu")
HOMES: tuple[Home, ...] = ("device", "ram", "stream")


@pytest.fixture(params=HOMES)
def source(request: pytest.FixtureRequest, two_corpora: Path, samples: Samples, pipeline: str) -> Source:
    return open_source(FeatureStore.open(two_corpora), samples, FEATURES, request.param, CPU)


@pytest.fixture(scope="module")
def store(two_corpora: Path) -> FeatureStore:
    return FeatureStore.open(two_corpora)


@pytest.fixture(scope="module")
def stream(store: FeatureStore, samples: Samples) -> StreamSource:
    return StreamSource(store, samples, FEATURES, CPU)


def _parts(batches: Iterator[Batch]) -> tuple[Tensor, Tensor, Tensor]:
    found = list(batches)
    return (
        torch.cat([batch.features for batch in found]),
        torch.cat([batch.valid_frames for batch in found]),
        torch.cat([batch.targets for batch in found]),
    )


def _expected(store: FeatureStore, samples: Samples, at: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """The samples ``at``, read clip by clip by the store's own reading."""
    features, valid = [], []
    for clip, view in zip(samples.clips[at], samples.views[at], strict=True):
        arrays = store.read([clip], views=(view,))
        features.append(np.concatenate([arrays[name][0, 0] for name in FEATURES]))
        valid.append(store.valid_frames([clip], views=(view,))[0, 0])
    return (
        torch.from_numpy(np.stack(features))[:, None],
        torch.tensor(valid),
        torch.from_numpy(samples.targets[at]),
    )


def _assert_equal(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@pytest.mark.parametrize("sampling", ["all", "one"])
def test_every_sample_of_an_epoch_holds_its_own_clip_and_view(
    source: Source, store: FeatureStore, samples: Samples, sampling: str
) -> None:
    order = Order.of(store, samples, 50, sampling, window=7)
    some = slice(None, None, order.count // 60)
    at = order.epoch(5, 1).samples[some]
    assert len(at) >= 60
    batches = list(source.batches(order, Position(5, 1)))
    assert [batch.total for batch in batches] == [len(batch.features) for batch in batches]
    assert len(batches) == len(order)
    assert sum(batch.total for batch in batches) == order.count
    found = _parts(iter(batches))
    _assert_equal(tuple(part[some] for part in found), _expected(store, samples, at))


def test_samples_in_order_stand_as_they_are(source: Source, store: FeatureStore, samples: Samples) -> None:
    found = _parts(source.in_order(33))
    assert len(found[0]) == len(source) == len(samples)
    at = np.r_[0 : len(samples) : len(samples) // 60, len(samples) - 1]
    _assert_equal(tuple(part[at] for part in found), _expected(store, samples, at))


@pytest.mark.parametrize("world", [2, 4, 5])
def test_ranks_together_give_what_one_gives(
    source: Source, store: FeatureStore, samples: Samples, world: int
) -> None:
    order = Order.of(store, samples, 30, window=5)
    whole = list(source.batches(order, Position(0)))
    shares = [list(source.batches(order, Position(0), Share(rank, world))) for rank in range(world)]
    for batch, *parts in zip(whole, *shares, strict=True):
        joined = torch.empty_like(batch.features)
        for rank, part in enumerate(parts):
            joined[rank::world] = part.features
            assert part.total == batch.total == len(batch.features)
            assert torch.equal(part.targets, batch.targets[rank::world])
        assert torch.equal(joined, batch.features)
    expected = [batch.targets.tolist() for batch in source.in_order(64)]
    for rank in range(world):
        found = [batch.targets.tolist() for batch in source.in_order(64, Share(rank, world))]
        assert found == expected[rank::world]


def test_a_batch_smaller_than_the_world_leaves_ranks_with_none(
    source: Source, store: FeatureStore, samples: Samples
) -> None:
    order = Order.of(store, samples, 2, window=5)
    batch = next(source.batches(order, Position(0), Share(3, 4)))
    assert batch.features.shape[0] == len(batch.targets) == 0
    assert batch.total == 2


def test_homes_agree_in_every_bit(store: FeatureStore, samples: Samples) -> None:
    order = Order.of(store, samples, 50, window=7)
    sources = [open_source(store, samples, FEATURES, home, CPU) for home in HOMES]
    first, *others = [_parts(source.batches(order, Position(1, 2))) for source in sources]
    for other in others:
        _assert_equal(other, first)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.integers(0, 30),
    epoch=st.integers(0, 99),
    window=st.integers(1, 80),
    threads=st.integers(1, 4),
    size=st.integers(1, 200),
)
def test_a_stream_entered_anywhere_gives_the_rest_with_any_number_of_threads(
    store: FeatureStore, samples: Samples, start: int, epoch: int, window: int, threads: int, size: int
) -> None:
    order = Order.of(store, samples, size, window=window)
    kept = open_source(store, samples, FEATURES, "ram", CPU)
    whole = list(kept.batches(order, Position(3, epoch)))
    position = Position(3, epoch, start)
    stream = StreamSource(store, samples, FEATURES, CPU, threads=threads)
    rest = list(stream.batches(order, position))
    assert len(rest) == len(whole[start:])
    for found, expected in zip(rest, whole[start:], strict=True):
        assert torch.equal(found.features, expected.features)
        assert torch.equal(found.targets, expected.targets)
        assert torch.equal(found.valid_frames, expected.valid_frames)


def test_resuming_reads_nothing_of_windows_that_are_past(
    store: FeatureStore, samples: Samples, stream: StreamSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order.of(store, samples, 10, window=10)
    epoch = order.epoch(0, 0)
    batch = int(np.searchsorted(epoch.batches, epoch.windows[-2]))  # begins in the last window
    read: list[int] = []
    reader = stream._reader
    whole = reader.read_into
    monkeypatch.setattr(reader, "read_into", lambda out, spans: (read.append(len(spans)), whole(out, spans)))
    rest = list(stream.batches(order, Position(0, 0, batch)))
    assert len(rest) == len(order) - batch
    assert sum(read) <= order.window


def test_two_iterators_at_a_time_do_not_disturb_each_other(
    store: FeatureStore, samples: Samples, stream: StreamSource
) -> None:
    order = Order.of(store, samples, 50, window=7)
    alone = [[batch.features for batch in stream.batches(order, Position(0, e))] for e in (0, 1)]
    both = zip(stream.batches(order, Position(0, 0)), stream.batches(order, Position(0, 1)), strict=True)
    for (one, other), expected, expected_other in zip(list(both), *alone, strict=True):
        assert torch.equal(one.features, expected)
        assert torch.equal(other.features, expected_other)


def test_batches_may_be_written_to_and_trained_on_after_an_evaluation(
    store: FeatureStore, samples: Samples, stream: StreamSource
) -> None:
    """What is made under inference mode may not be used for gradients; buffers outlive it."""
    with torch.inference_mode():
        list(stream.in_order(64))
    for batch in stream.batches(Order.of(store, samples, 50), Position(0)):
        weight = torch.ones(1, requires_grad=True)
        (batch.features.float() * weight).sum().backward()
        batch.features.zero_()


def test_progress_is_told_while_samples_are_read(store: FeatureStore, samples: Samples) -> None:
    told: list[int] = []
    open_source(store, samples, FEATURES, "ram", CPU, loaded=told.append)
    assert sum(told) == len(samples)
    assert len(told) > 1


def test_nothing_to_read_is_no_batch(store: FeatureStore) -> None:
    nothing = np.array([], dtype=np.int64)
    none = Samples(nothing, nothing, nothing)
    for home in HOMES:
        source = open_source(store, none, FEATURES, home, CPU)
        assert len(source) == 0
        assert list(source.in_order(8)) == []
        assert list(source.batches(Order.of(store, none, 8), Position(0))) == []
