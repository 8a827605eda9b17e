"""Batch norm over the batches of all ranks together (Ioffe & Szegedy 2015).

::

    rank 0: n₀, mean₀, var₀ ┐              mean = Σ nᵣ·meanᵣ / Σ nᵣ
    rank 1: n₁, mean₁, var₁ ┴─ all-reduce  var  = Σ nᵣ·(varᵣ + (meanᵣ − mean)²) / Σ nᵣ

In one process, and in evaluation, this is torch's own batch norm. torch's ``SyncBatchNorm`` does the same as
this module, but only on GPUs.

A training batch with a single value per channel has no variance, and torch refuses it. Here it is normalised
by the running statistics, which it does not change.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


class BatchNorm1d(nn.BatchNorm1d):
    """Batch norm of (B, K) over all ranks."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """(B, K) → the same shape, each column normalised over the rows of all ranks."""
        return _normalise(self, x) if _needs_more(self, x) else super().forward(x)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm of (B, K, C, T) over all ranks."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, C, T) → the same shape, each channel normalised over rows, C, T and all ranks."""
        return _normalise(self, x) if _needs_more(self, x) else super().forward(x)


def _needs_more(layer: nn.Module, x: Tensor) -> bool:
    """Whether torch's own batch norm is not enough."""
    return layer.training and (_ranks() > 1 or x.numel() == x.shape[1])


def _ranks() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def _normalise(layer: BatchNorm1d | BatchNorm2d, x: Tensor) -> Tensor:
    mean, variance, count = _moments(x)
    # A rank with more rows can skip the check, which would wait for its device.
    if x.numel() <= x.shape[1] and count.item() == 1:
        return F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)
    with torch.no_grad():
        layer.num_batches_tracked.add_(1)
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance * (count / (count - 1)), layer.momentum)
    scale = layer.weight * torch.rsqrt(variance + layer.eps)
    shape = (1, -1, *(1 for _ in x.shape[2:]))
    normal = torch.addcmul((layer.bias - mean * scale).view(shape), x, scale.view(shape))
    return normal.to(x.dtype)


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance (K,) float32 of ``x`` (B, K, …) over all ranks, and the number of values per channel.

    A rank may have no rows. Gradients flow to the inputs of all ranks.
    """
    dims = (0, *range(2, x.ndim))
    own = x.numel() // x.shape[1]
    values = x.float()
    if own:
        variance, mean = torch.var_mean(values, dims, correction=0)
    else:
        variance = mean = values.sum(dims)
    summed = _sum_over_ranks(torch.cat((own * mean, mean.new_tensor([own]))))
    count = summed[-1].detach()
    together = summed[:-1] / count
    variance = _sum_over_ranks(own * (variance + (mean - together).square())) / count
    return together, variance, count


def _sum_over_ranks(values: Tensor) -> Tensor:
    """Sum ``values`` over all ranks, and their gradients too."""
    if _ranks() == 1:
        return values
    summed: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return summed
