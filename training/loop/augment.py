"""Augmentation of batches on the device: mixup, then masks of bands and of frames (SpecAugment).

Random numbers come from torch's default generator of the device, or from a given one; their number depends
only on the number of rows and on the options, never on values. Nothing waits for the device.

If several processes train, each has every ``world``-th row of a batch, draws for all rows and uses its own.
Masks, shares and so on then equal those of one process, if the generators have the same state. Only the
partners of mixup differ: a row is mixed with a row of the same process.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from schemas.training import SpecAugmentSpec, TrainSpec
from training.loop.loss import MixedTargets

Rows = tuple[int, int, int]
"""(total, rank, world): this process has rows ``rank::world`` of a batch of ``total`` rows."""


class Augment(nn.Module):
    """Applies ``spec.mixup`` and ``spec.spec_augment`` in training mode; does nothing in evaluation mode."""

    def __init__(self, spec: TrainSpec) -> None:
        super().__init__()
        self.mixup = spec.mixup
        self.masks = spec.spec_augment

    def forward(
        self,
        x: Tensor,
        valid_frames: Tensor,
        targets: Tensor,
        rows: Rows | None = None,
        generator: Generator | None = None,
    ) -> tuple[Tensor, Tensor, MixedTargets]:
        """Augment normalised ``x`` (B, 1, C, T), which is 0 in padded frames; return x, frames and targets.

        ``valid_frames`` (B,) and classes ``targets`` (B,) are int64; values are (B, dimensions). A mixture is
        as long as the longer of its two samples. The inputs are not changed.
        """
        mixed = MixedTargets.unmixed(targets)
        if not self.training:
            return x, valid_frames, mixed
        draws = _Draws(rows or (len(x), 0, 1), x.device, generator)
        if self.mixup:
            x, valid_frames, mixed = _mixup(x, valid_frames, targets, self.mixup, draws)
        if self.masks.band_masks or self.masks.frame_masks:
            x = _mask(x, valid_frames, self.masks, draws)
        return x, valid_frames, mixed


class _Draws:
    """Random numbers for this process's rows, drawn for all rows."""

    def __init__(self, rows: Rows, device: torch.device, generator: Generator | None) -> None:
        self.total, self.rank, self.world = rows
        self.device = device
        self.generator = generator

    def uniform(self, *shape: int) -> Tensor:
        """(B, *shape) in [0, 1)."""
        drawn = torch.rand((self.total, *shape), device=self.device, generator=self.generator)
        return drawn[self.rank :: self.world]

    def beta(self, alpha: float) -> Tensor:
        """(B,) of Beta(alpha, alpha).

        As (1 + T / √(ν + T²)) / 2 of Student's T with ν = 2 alpha degrees of freedom, which is
        √(ν (U^(−2/ν) − 1)) · cos 2πV (Bailey 1994; Devroye 1996): no rejection, so no loop.
        """
        u, v = self.uniform(2).unbind(dim=1)
        cosine = torch.cos(2 * math.pi * v)
        power = torch.log(u) / alpha
        left = -torch.expm1(power)  # 1 − U^(1/alpha)
        ratio = cosine * left.sqrt() / (power.exp() + left * cosine.square()).sqrt()
        return ((1 + ratio) / 2).clamp(0, 1)


def _mixup(
    x: Tensor, valid_frames: Tensor, targets: Tensor, alpha: float, draws: _Draws
) -> tuple[Tensor, Tensor, MixedTargets]:
    """Mixup of Zhang et al. (2018), with one share per sample instead of one per batch."""
    share = draws.beta(alpha)
    partner = draws.uniform().argsort(stable=True)
    x = torch.lerp(x.index_select(0, partner), x, share[:, None, None, None])
    valid_frames = torch.maximum(valid_frames, valid_frames[partner])
    return x, valid_frames, MixedTargets(targets, targets[partner], share)


def _mask(x: Tensor, valid_frames: Tensor, spec: SpecAugmentSpec, draws: _Draws) -> Tensor:
    """SpecAugment of Park et al. (2019): masks of whole bands, and of whole frames within the valid ones."""
    bands, frames = x.shape[-2:]
    drawn = draws.uniform(spec.band_masks + spec.frame_masks, 2)
    in_bands, in_frames = drawn[:, : spec.band_masks], drawn[:, spec.band_masks :]
    keep_bands = _keep(in_bands, spec.band_width, torch.full_like(valid_frames, bands), bands)
    keep_frames = _keep(in_frames, spec.frame_width, valid_frames, frames)
    # Two factors, because a single one of (B, C, T) would take extra memory traffic.
    if spec.band_masks:
        x = x * keep_bands[:, None, :, None]
    if spec.frame_masks:
        x = x * keep_frames[:, None, None, :]
    return x


def _keep(drawn: Tensor, width: int, lengths: Tensor, size: int) -> Tensor:
    """(B, size) float32, 0 inside any of the masks ``drawn`` (B, masks, 2) within ``lengths`` (B,), else 1.

    Widths are uniform in 0…``width``, at most the length; positions are uniform within the length.
    """
    lengths = lengths[:, None]
    widths = torch.minimum((drawn[..., 0] * (width + 1)).long(), lengths)
    starts = (drawn[..., 1] * (lengths - widths + 1)).long()
    at = torch.arange(size, device=drawn.device)
    inside = (at >= starts[..., None]) & (at < (starts + widths)[..., None])
    return (~inside.any(dim=1)).float()
