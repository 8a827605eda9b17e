from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.store import FeatureStore
from schemas.training import ViewSampling
from training.loader.cells import Cells
from training.loader.order import Order, Position
from training.samples.samples import Samples, cross

SEEDS = st.integers(0, 2**62)


@st.composite
def orders(draw: st.DrawFn, sampling: ViewSampling = "all") -> Order:
    """Orders over up to 12 chunks of up to 9 clips in up to 4 views."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    views = [draw(st.integers(1, 4)) for _ in sizes]
    chunk = np.repeat(np.arange(len(sizes)), views)
    of_sample = np.repeat(np.arange(len(chunk)), np.repeat(sizes, views))
    cells = Cells(draw(st.permutations(of_sample.tolist()).map(np.array)), chunk)
    return Order(cells, draw(st.integers(1, 40)), sampling, "sha256:d", draw(st.integers(1, 9)), "")


@given(order=orders(), seed=SEEDS, epoch=st.integers(0, 10_000))
def test_an_epoch_holds_every_sample_once_in_batches_of_one_size(order: Order, seed: int, epoch: int) -> None:
    batches = list(order.batches(Position(seed, epoch)))
    assert sorted(np.concatenate(batches)) == list(range(len(order.cells)))
    assert len(batches) == len(order) == -(-len(order.cells) // order.batch_size)
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= order.batch_size
    assert max(sizes) - min(sizes) <= 1


@given(order=orders("one"), seed=SEEDS)
def test_one_view_of_each_clip_is_one_cell_of_each_chunk(order: Order, seed: int) -> None:
    epoch = order.epoch(seed, 3)
    cells, times = np.unique(order.cells.of_sample[epoch.samples], return_counts=True)
    assert order.cells.chunk[cells].tolist() == list(range(len(order.cells.of_chunk) - 1))
    assert times.tolist() == order.cells.sizes[cells].tolist()
    assert len(epoch.samples) == len(np.unique(epoch.samples)) == order.count == epoch.batches[-1]


@given(order=orders(), seed=SEEDS, start=st.integers(0, 30))
def test_an_epoch_entered_in_the_middle_goes_on_as_if_it_had_been_read_from_the_start(
    order: Order, seed: int, start: int
) -> None:
    whole = [batch.tolist() for batch in order.batches(Position(seed, 3))]
    assert [batch.tolist() for batch in order.batches(Position(seed, 3, start))] == whole[start:]


@given(order=orders(), seed=SEEDS)
def test_a_window_is_whole_cells_and_no_more_of_them_than_stated(order: Order, seed: int) -> None:
    epoch = order.epoch(seed, 0)
    seen: list[int] = []
    counts = []
    for start, stop in pairwise(epoch.windows):
        cells, times = np.unique(order.cells.of_sample[epoch.samples[start:stop]], return_counts=True)
        assert times.tolist() == order.cells.sizes[cells].tolist()
        seen.extend(cells)
        counts.append(len(cells))
    assert sorted(seen) == list(range(len(order.cells.chunk)))
    assert max(counts) <= order.window
    assert max(counts) - min(counts) <= 1


def _sixteen() -> Order:
    """Sixteen samples: four cells of four, two of them of the same chunk."""
    return Order(Cells(np.arange(16) // 4, np.array([0, 0, 1, 2])), 8, "all", "sha256:d", 2, "")


def test_order_depends_on_seed_epoch_and_digest_and_not_on_batch_size_or_global_state() -> None:
    def samples(order: Order, seed: int = 1, epoch: int = 2) -> list[int]:
        return order.epoch(seed, epoch).samples.tolist()

    order = _sixteen()
    expected = samples(order)
    np.random.seed(0)  # noqa: NPY002
    assert samples(replace(order, batch_size=3)) == expected
    for other in (samples(order, seed=2), samples(order, epoch=3)):
        assert other != expected
    assert samples(replace(order, store_digest="sha256:e")) != expected


def test_order_is_the_same_in_every_version() -> None:
    """Runs of earlier versions resume in the order in which they began; else ``_ALGORITHM`` counts up."""
    assert _sixteen().epoch(0, 0).samples.tolist() == FIRST_ORDER
    assert replace(_sixteen(), view_sampling="one").epoch(0, 0).samples.tolist() == FIRST_OF_ONE


def test_cells_are_views_of_32_clips_of_a_corpus(two_corpora: Path, samples: Samples) -> None:
    store = FeatureStore.open(two_corpora)
    cells = Cells.of(store, samples)
    rows = store.manifest.iloc[samples.clips]
    keys = list(zip(rows["dataset"], rows["row"] // 32, samples.views, strict=True))
    assert len(set(zip(keys, cells.of_sample, strict=True))) == len(set(keys)) == len(cells.chunk)
    chunks = {(key[:2], cells.chunk[cell]) for key, cell in zip(keys, cells.of_sample, strict=True)}
    assert len(chunks) == len({key[:2] for key in keys}) == len(cells.of_chunk) - 1


def test_one_view_cannot_be_drawn_where_clips_have_different_views(two_corpora: Path) -> None:
    store = FeatureStore.open(two_corpora)
    clips = np.arange(40)
    whole = cross(clips, clips, (0, 1))
    assert Order.of(store, whole, 8, "one").count == 40
    part = Samples(whole.clips[:-1], whole.views[:-1], whole.targets[:-1])
    with pytest.raises(ValueError, match="same views"):
        Order.of(store, part, 8, "one")


def test_the_fingerprint_tells_apart_all_that_moves_a_position(two_corpora: Path, samples: Samples) -> None:
    store = FeatureStore.open(two_corpora)
    fewer = Samples(samples.clips[1:], samples.views[1:], samples.targets[1:])
    other = Samples(samples.clips, samples.views, samples.targets[::-1].copy())
    prints = [
        Order.of(store, samples, 8).fingerprint,
        Order.of(store, samples, 9).fingerprint,
        Order.of(store, samples, 8, "one").fingerprint,
        Order.of(store, samples, 8, "all", 7).fingerprint,
        Order.of(store, fewer, 8).fingerprint,
        Order.of(store, other, 8).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    again = Samples(samples.clips.astype(np.int32), samples.views.astype(np.int32), samples.targets)
    assert Order.of(FeatureStore.open(two_corpora), again, 8).fingerprint == prints[0]


def test_nothing_to_read_is_no_batch(two_corpora: Path) -> None:
    nothing = np.array([], dtype=np.int64)
    for sampling in ("all", "one"):
        order = Order.of(FeatureStore.open(two_corpora), Samples(nothing, nothing, nothing), 8, sampling)
        assert len(order) == 0
        assert list(order.batches(Position(0))) == []


FIRST_ORDER = [15, 12, 7, 6, 5, 4, 14, 13, 1, 2, 3, 11, 0, 10, 9, 8]
FIRST_OF_ONE = [7, 4, 11, 10, 9, 8, 6, 5, 14, 15, 13, 12]
