"""Clips of several requests are scored together, each gets its own scores, and failures stay apart."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.serve.batches import MOST_CLIPS, Batches, StoppingError
from training.serve.turns import Turns


def double(features: Tensor, valid: Tensor) -> NDArray[np.float64]:
    """Twice the first feature of each clip, and its frames. A negative feature is a fault."""
    if (features < 0).any():
        raise FloatingPointError("a bad clip")
    return torch.stack([2 * features[:, 0, 0], valid], dim=1).double().numpy()


def ask(batches: Batches, turns: Turns, score: object, values: list[float]) -> NDArray[np.float64]:
    features = torch.tensor(values)[:, None, None]
    with batches.computing(), turns.taken():
        assert callable(score)
        return np.asarray(score(features, torch.arange(len(values))))


def test_requests_that_wait_are_scored_in_one_call_and_get_their_own_rows() -> None:
    sizes: list[int] = []
    turns = Turns(2)
    batches = Batches(0.05, turns, sizes.append)
    score = batches.scorer(double)
    asked = [[float(10 * n + k) for k in range(n % 3 + 1)] for n in range(9)]
    start = threading.Barrier(len(asked))

    def one(values: list[float]) -> NDArray[np.float64]:
        with batches.computing():
            start.wait()
            return ask(batches, turns, score, values)

    with ThreadPoolExecutor(len(asked)) as pool:
        found = list(pool.map(one, asked))
    for values, rows in zip(asked, found, strict=True):
        expected = [[2 * value, frames] for frames, value in enumerate(values)]
        np.testing.assert_array_equal(rows, expected)
    assert sum(sizes) == sum(map(len, asked))
    assert max(sizes) > 3
    batches.close()


def test_a_lone_request_does_not_wait_for_others() -> None:
    turns = Turns(1)
    batches = Batches(3600.0, turns, lambda _: None)
    np.testing.assert_array_equal(ask(batches, turns, batches.scorer(double), [3.0]), [[6, 0]])
    batches.close()


def test_a_batch_has_a_limit_and_models_are_not_mixed() -> None:
    seen: list[tuple[str, int]] = []
    turns = Turns(4)
    batches = Batches(0.05, turns, lambda _: None)

    def scorer(name: str) -> object:
        def score(features: Tensor, valid: Tensor) -> NDArray[np.float64]:
            seen.append((name, len(valid)))
            return double(features, valid)

        return batches.scorer(score)

    one, two = scorer("one"), scorer("two")
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(ask, batches, turns, each, [1.0] * 20) for each in (one, two) * 4]
        assert all((each.result()[:, 0] == 2).all() for each in found)
    assert {size for _, size in seen} == {20}  # two of them would exceed the limit
    assert sum(size for name, size in seen if name == "one") == 80
    large = ask(batches, turns, one, [1.0] * (MOST_CLIPS + 5))  # a request of its own is never cut
    assert len(large) == MOST_CLIPS + 5
    batches.close()


def test_only_the_request_with_a_fault_fails() -> None:
    turns = Turns(8)
    batches = Batches(0.05, turns, lambda _: None)
    score = batches.scorer(double)
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(ask, batches, turns, score, [value]) for value in (1.0, -1.0, 2.0, 3.0)]
        with pytest.raises(FloatingPointError, match="a bad clip"):
            found[1].result()
        assert [float(found[n].result()[0, 0]) for n in (0, 2, 3)] == [2, 4, 6]
    batches.close()


def test_at_the_end_what_was_asked_is_answered_and_nothing_more() -> None:
    turns = Turns(2)
    batches = Batches(3600.0, turns, lambda _: None)
    score = batches.scorer(double)
    with ThreadPoolExecutor(2) as pool, batches.computing():  # so that the first request waits
        waiting = pool.submit(ask, batches, turns, score, [4.0])
        while not batches._asked:
            time.sleep(0.001)
        batches.close()
        assert waiting.result()[0, 0] == 8
        with pytest.raises(StoppingError, match="the service stops"):
            ask(batches, turns, score, [1.0])
