"""Which clips an encoder computes together, and where each of them ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

MOST_FRAMES = 8192
"""Frames of a padded batch, with its padding: 164 s at 20 ms per frame. Of these, the first convolutions of
encoders of waveforms hold 1 GB per layer."""


def equal_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """Rows of each length, in the order in which the lengths occur; rows of length 0 are left out."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, length in enumerate(lengths):
        if length:
            rows[length].append(row)
    return list(rows.values())


def padded_lengths(frames: Sequence[int], most: int) -> list[list[int]]:
    """Rows of similar length, longest first, whose batch has at most ``most`` frames with its padding.

    A row that alone has more is a batch of its own. Rows without frames are left out.
    """
    batches: list[list[int]] = []
    for row in sorted((row for row, count in enumerate(frames) if count), key=lambda row: -frames[row]):
        if not batches or (len(batches[-1]) + 1) * frames[batches[-1][0]] > most:
            batches.append([])
        batches[-1].append(row)
    return batches


def send(values: Sequence[int], device: torch.device) -> torch.Tensor:
    """(n,) int64 on the device, without waiting for it."""
    there = device.type == "cuda"
    return torch.tensor(values, pin_memory=there).to(device, non_blocking=there)


def is_within(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """(row, longest) bool: whether a position lies before the end of its row. ``lengths`` : (row,) int64."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]
