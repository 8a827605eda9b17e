"""Holm's correction of p-values of several comparisons. No torch."""

from __future__ import annotations

from collections.abc import Sequence


def adjust_by_holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the order given.

    Holm 1979, https://www.jstor.org/stable/4615733: with the m p-values in ascending order, the i-th is
    adjusted to the largest of (m − j + 1) p_j over j ≤ i, at most 1. If each comparison with an adjusted
    p-value of at most α is claimed, all claims are true with a probability of at least 1 − α.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return tuple(adjusted)
