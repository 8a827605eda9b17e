"""What trials compute once and keep for later ones, within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key. Those that were used least recently are dropped if all take more than ``budget`` bytes.

    The value used last is kept even if it is larger. ``size_of`` : bytes of a value.
    """

    def __init__(self, budget: int, size_of: Callable[[T], int]) -> None:
        self._budget, self._size_of = budget, size_of
        self._values: OrderedDict[str, T] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """Number of values."""
        return len(self._values)

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value under ``key``, made if there is none."""
        if key not in self._values:
            self._values[key] = make()
            self.bytes += self._size_of(self._values[key])
        self._values.move_to_end(key)
        while self.bytes > self._budget and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            self.bytes -= self._size_of(dropped)
        return self._values[key]
