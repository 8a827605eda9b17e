"""Matrix products per waveform, so that results do not depend on the other waveforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

FEW = 32
"""Products with up to this many rows get memory of their own; differences were seen with up to 3 rows."""


def by_waveform(
    multiply: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, counts: Sequence[int]
) -> torch.Tensor:
    """Apply ``multiply`` to ``rows`` (row, column), which contain ``counts`` rows of each waveform in turn.

    On a CPU, one waveform at a time: the number of rows in a matrix product affects the last bits of each
    row, so the numbers of a view would depend on the other views in the batch.
    """
    if rows.device.type != "cpu":
        return multiply(rows)
    return torch.cat([multiply(part) for part in waveform_rows(rows, counts)])


def waveform_rows(rows: torch.Tensor, counts: Sequence[int]) -> list[torch.Tensor]:
    """Split rows by waveform, (count, column) each. Up to :data:`FEW` rows are copied to memory of their own.

    Small products are computed on the rows in place, and their alignment affects the last bits.
    """
    parts = torch.split(rows, list(counts))
    return [part.clone() if len(part) <= FEW else part for part in parts]
