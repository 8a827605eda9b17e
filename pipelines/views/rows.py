"""Computes a view with a different value for each clip of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from pipelines.batch import ClipBatch

Value = TypeVar("Value")


def by_value(
    batch: ClipBatch, values: Sequence[Value], make: Callable[[ClipBatch, Value], torch.Tensor]
) -> torch.Tensor:
    """Waveforms (clip, samples) of ``make`` with the value of each clip; one call if all values are equal.

    Different values lead to Fourier transforms and filters of different sizes, so clips are computed one by
    one.
    """
    if len(set(values)) == 1:
        return make(batch, values[0])
    made = [
        make(batch.row(row), value)[0] if batch.lengths[row] else batch.waveforms.new_zeros(0)
        for row, value in enumerate(values)
    ]
    return torch.nn.utils.rnn.pad_sequence(made, batch_first=True)
