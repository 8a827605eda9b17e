"""How near the order is to a permutation of everything: what 31 / window bounds.

A batch of B samples without replacement has a hypergeometric count of a class. Windows add the variance of
their own composition: at most (B − 1) / window of the hypergeometric one where chunks are of one class each,
for a window's share is a mean over its chunks.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from training.loader.cells import Cells
from training.loader.order import WINDOW_CHUNKS, Order, Position

CHUNKS, CLIPS, BATCH = 4 * WINDOW_CHUNKS, 32, 32


@pytest.fixture(scope="module")
def order() -> Order:
    """Sorted as badly as can be: chunk i has one class, and neighbours the same."""
    return Order(
        Cells(np.repeat(np.arange(CHUNKS), CLIPS), np.arange(CHUNKS)), BATCH, "all", "d", WINDOW_CHUNKS, ""
    )


def _is_first_class(samples: np.ndarray) -> np.ndarray:
    return samples // CLIPS < CHUNKS // 4


def test_batches_vary_in_class_counts_almost_as_those_of_a_permutation(order: Order) -> None:
    counts = [
        _is_first_class(batch).sum() for epoch in range(20) for batch in order.batches(Position(0, epoch))
    ]
    ideal = hypergeom(CHUNKS * CLIPS, CHUNKS * CLIPS // 4, BATCH)
    assert np.mean(counts) == pytest.approx(ideal.mean(), rel=1e-9)
    # The estimate's own error: 1 % (20,480 batches). Chunks read one after another would give 32 for 1.12.
    assert np.var(counts) / ideal.var() < 1 + (BATCH - 1) / WINDOW_CHUNKS + 0.03


def test_neighbours_are_of_one_chunk_as_seldom_as_a_window_allows(order: Order) -> None:
    samples = np.concatenate([order.epoch(0, epoch).samples for epoch in range(5)])
    same = (samples[1:] // CLIPS == samples[:-1] // CLIPS).mean()
    assert same == pytest.approx(31 / (WINDOW_CHUNKS * CLIPS - 1), rel=0.1)


def test_a_set_of_one_window_is_permuted_as_a_whole() -> None:
    order = Order(Cells(np.arange(10) // 5, np.arange(2)), 4, "all", "d", WINDOW_CHUNKS, "")
    at_first = np.bincount([order.epoch(0, epoch).samples[0] for epoch in range(2000)], minlength=10)
    pairs = {tuple(order.epoch(0, epoch).samples[:2].tolist()) for epoch in range(2000)}
    # Binomial(2000, 0.1): mean 200, deviation 13.4; five deviations either side.
    assert at_first.min() > 133
    assert at_first.max() < 267
    assert len(pairs) == 90


def test_epochs_have_orders_of_their_own(order: Order) -> None:
    first, second = (order.epoch(0, epoch).samples for epoch in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.03
