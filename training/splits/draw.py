"""Draws within strata: what one stratum yields does not depend on the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from schemas.protocol import SplitSpec

T = TypeVar("T")


def generator(*key: int | str) -> np.random.Generator:
    """Random generator of one draw, keyed by seed and stratum: the same on every machine."""
    digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def strata(
    items: Iterable[T], key: Callable[[T], tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], list[T]]]:
    """Items by their stratum, sorted by stratum; within one in the given order."""
    found: dict[tuple[str, ...], list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    yield from sorted(found.items())


def shuffle(items: list[T], *key: int | str) -> list[T]:
    """Items in the order of a draw."""
    return [items[i] for i in generator(*key).permutation(len(items))]


def held_out(n: int, spec: SplitSpec) -> tuple[int, int]:
    """Of ``n`` items, how many test and how many validate; at least one is left over.

    ``round(share · n)`` but at least one test (n ≥ 2) and one validates (n ≥ 3).
    """
    test = max(1, round(spec.test * n)) if n >= 2 else 0
    validation = max(1, round(spec.validation * n)) if n >= 3 else 0
    while test + validation >= n > 0:
        test, validation = (test - 1, validation) if test > validation else (test, validation - 1)
    return test, validation
