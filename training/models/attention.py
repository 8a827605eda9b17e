"""Self-attention over the valid steps (Vaswani et al. 2017), with learnt biases for relative positions.

::

    weights = softmax(query · key / √(width / heads) + bias[head, distance]),    distance = key − query

A learnt bias per head and distance is added to the scores, as in T5 (Raffel et al. 2020, arXiv:1910.10683).
Distances are not pooled into logarithmic bins but limited to ±``distance``, as in Shaw et al. 2018
(arXiv:1803.02155). All biases start at 0, which is attention without positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RelativePositions(nn.Module):
    """Biases of attention by distance; ``biases`` (2 · distance + 1, heads) from −distance to distance."""

    def __init__(self, heads: int, distance: int) -> None:
        super().__init__()
        self.distance = distance
        self.biases = nn.Parameter(torch.zeros(2 * distance + 1, heads))

    def forward(self, steps: int) -> Tensor:
        """(heads, steps, steps): bias of each query step for each key step."""
        step = torch.arange(steps, device=self.biases.device)
        limited = (step[None, :] - step[:, None]).clamp(-self.distance, self.distance)
        return self.biases[limited + self.distance].permute(2, 0, 1)


def attention_mask(keep: Tensor, positions: RelativePositions | None = None) -> Tensor:
    """What attention adds to its scores, for :func:`attend`.

    ``keep`` (B, T) bool is true for valid steps, of which each clip has at least one. Returns
    (B, 1, 1, T) bool without ``positions``, else their biases (B, heads, T, T) with −∞ for padded keys.
    """
    valid_keys = keep[:, None, None, :]
    if positions is None:
        return valid_keys
    biases: Tensor = positions(keep.shape[1])
    return biases[None].masked_fill(~valid_keys, -torch.inf)


def attend(sequence: Tensor, mask: Tensor, heads: int, projections: nn.Linear, joined: nn.Linear) -> Tensor:
    """Attention of each step of ``sequence`` (B, T, width) to all steps that ``mask`` allows.

    ``projections`` : width → 3 · width, queries, keys and values; ``joined`` : width → width, on all heads
    side by side. Returns (B, T, width); output at padded steps is meaningless.
    """
    by_head = projections(sequence).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    query, key, value = by_head.unbind(0)  # (B, heads, T, width / heads) each
    attended = F.scaled_dot_product_attention(query, key, value, mask)
    # A copy, since torch's exporter assumes the strides of one kernel and then uses another (torch 2.11).
    side_by_side = attended.transpose(1, 2).clone(memory_format=torch.contiguous_format).flatten(2)
    out: Tensor = joined(side_by_side)
    return out
