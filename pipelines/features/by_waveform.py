"""Matrix products of one waveform at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

FEW = 32
"""Differences were seen with up to 3 rows."""


def by_waveform(
    multiply: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, counts: Sequence[int]
) -> torch.Tensor:
    """``multiply`` of ``rows`` (row, column), which are ``counts`` rows of each waveform in turn.

    On a CPU one waveform after the other. How many rows a matrix product has decides the last bits of each
    row; so a view's numbers would depend on what other views are computed beside it.
    """
    if rows.device.type != "cpu":
        return multiply(rows)
    return torch.cat([multiply(part) for part in waveform_rows(rows, counts)])


def waveform_rows(rows: torch.Tensor, counts: Sequence[int]) -> list[torch.Tensor]:
    """The rows of each waveform, (count, column). Where they are few they have memory of their own.

    Small products are computed from the rows where they lie, and how these are aligned decides the last bits.
    """
    parts = torch.split(rows, list(counts))
    return [part.clone() if len(part) <= FEW else part for part in parts]
