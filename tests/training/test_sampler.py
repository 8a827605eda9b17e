from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.loader.sampler import Position, Sampler, in_order

COUNTS = st.integers(1, 500)
SEEDS = st.integers(0, 2**62)


@given(count=COUNTS, batch=st.integers(1, 64), seed=SEEDS, epoch=st.integers(0, 10_000))
def test_an_epoch_holds_every_sample_once(count: int, batch: int, seed: int, epoch: int) -> None:
    sampler = Sampler(count, batch, "sha256:d")
    batches = list(sampler.batches(Position(seed, epoch)))
    assert len(batches) == len(sampler)
    assert all(len(b) == batch for b in batches[:-1])
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert np.concatenate(list(in_order(count, batch))).tolist() == list(range(count))


@given(count=COUNTS, batch=st.integers(1, 64), seed=SEEDS, start=st.integers(0, 20))
def test_an_epoch_entered_in_the_middle_goes_on_as_if_it_had_been_read_from_the_start(
    count: int, batch: int, seed: int, start: int
) -> None:
    sampler = Sampler(count, batch, "sha256:d")
    whole = list(sampler.batches(Position(seed, 3)))
    rest = list(sampler.batches(Position(seed, 3, start)))
    assert [b.tolist() for b in rest] == [b.tolist() for b in whole[start:]]


def test_order_depends_on_seed_epoch_and_digest_and_not_on_batch_size_or_global_state() -> None:
    order = Sampler(100, 8, "a").order(1, 2).tolist()
    np.random.seed(0)  # noqa: NPY002
    assert Sampler(100, 32, "a").order(1, 2).tolist() == order
    others = [
        Sampler(100, 8, "a").order(2, 2),
        Sampler(100, 8, "a").order(1, 3),
        Sampler(100, 8, "b").order(1, 2),
    ]
    assert all(other.tolist() != order for other in others)


def test_order_is_the_same_in_every_version() -> None:
    """Runs of earlier versions resume in the order in which they began."""
    assert Sampler(8, 4, "sha256:d").order(0, 0).tolist() == FIRST_ORDER


def test_no_position_is_favoured() -> None:
    first = [int(Sampler(10, 4, "d").order(0, epoch)[0]) for epoch in range(2000)]
    counts = np.bincount(first, minlength=10)
    # Binomial(2000, 0.1): mean 200, deviation 13.4; five deviations either side.
    assert counts.min() > 133
    assert counts.max() < 267


FIRST_ORDER = [3, 7, 6, 4, 1, 5, 0, 2]
