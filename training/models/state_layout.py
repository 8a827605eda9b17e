"""How the hidden states of an encoder are arranged in the rows of a network's input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StateLayout:
    """Rows of one feature: layers × statistics × width, in this order.

    ``feature`` : its name. ``layers`` : the hidden states, by their numbers in the encoder. ``statistics`` :
    number of statistics of each layer; 1 for frames. ``width`` : values of a hidden state.
    """

    feature: str
    layers: tuple[int, ...]
    statistics: int
    width: int

    @property
    def rows(self) -> int:
        """Rows of the feature."""
        return len(self.layers) * self.size

    @property
    def size(self) -> int:
        """Rows of one layer."""
        return self.statistics * self.width
