"""Random draws within strata. The draw of one stratum does not depend on the other strata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from schemas.protocol import SplitSpec

T = TypeVar("T")


def generator(*key: int | str) -> np.random.Generator:
    """Random generator for one draw, keyed by seed and stratum; the same on every machine."""
    digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def strata(
    items: Iterable[T], key: Callable[[T], tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], list[T]]]:
    """Group items by stratum, sorted by stratum; items within a stratum keep their order."""
    found: dict[tuple[str, ...], list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    yield from sorted(found.items())


def shuffle(items: list[T], *key: int | str) -> list[T]:
    """Items in random order; ``key`` seeds the generator."""
    return [items[i] for i in generator(*key).permutation(len(items))]


def held_out(n: int, spec: SplitSpec) -> tuple[int, int]:
    """Number of ``n`` items to test on and to validate on, leaving at least one to train on.

    Each is ``round(share · n)``, but at least 1: for the test if n ≥ 2, for validation if n ≥ 3.
    """
    test = max(1, round(spec.test * n)) if n >= 2 else 0
    validation = max(1, round(spec.validation * n)) if n >= 3 else 0
    while test + validation >= n > 0:
        test, validation = (test - 1, validation) if test > validation else (test, validation - 1)
    return test, validation
