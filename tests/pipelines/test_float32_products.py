from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from pipelines.float32_products import float32_products

Settings = tuple[bool, bool]


def settings() -> Settings:
    """Whether matrix products, and whether convolutions and recurrent layers, may round to TensorFloat-32."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(params=[(False, True), (True, False)], ids=["as torch starts", "as a user chose"])
def before(request: pytest.FixtureRequest) -> Iterator[Settings]:
    found = settings()
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = request.param
    yield request.param
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = found


@pytest.mark.parametrize("tf32", [False, True])
def test_one_rule_applies_within_and_what_was_set_before_applies_afterwards(
    before: Settings, tf32: bool
) -> None:
    def work() -> None:
        with float32_products(tf32=tf32):
            assert settings() == (tf32, tf32)
            with float32_products(tf32=tf32):
                pass
            assert settings() == (tf32, tf32)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert settings() == before


def test_threads_that_end_in_any_order_leave_what_was_set_before(before: Settings) -> None:
    entered, left = Barrier(2), Barrier(2)

    def first() -> Settings:
        with float32_products(tf32=False):
            entered.wait(10)
        left.wait(10)
        return settings()

    def second() -> Settings:
        with float32_products(tf32=False):
            entered.wait(10)
            left.wait(10)
            return settings()

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(work) for work in (first, second)]
        assert found[1].result() == (False, False)
    assert settings() == before
