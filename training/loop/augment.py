"""Augmentation of batches on the device: mixup, then masks of bands and of frames (SpecAugment).

Draws come from torch's default generator of the device, or from one that is given; their number depends on
the number of rows and on the options alone, never on values. Nothing waits for the device.

Of several processes, each with every ``world``-th row of a batch, each draws for all rows and takes its own:
masks, shares and so on are those of one process, if the generators stand alike. Only mixup's partners are
others: a row is mixed with one of the same process.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from schemas.training import SpecAugmentSpec, TrainSpec
from training.loop.loss import MixedTargets

Rows = tuple[int, int, int]
"""(total, rank, world): of a batch of ``total`` rows over all processes, rows ``rank::world`` are here."""


class Augment(nn.Module):
    """What ``spec.mixup`` and ``spec.spec_augment`` ask for in training; nothing in evaluation mode."""

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
        """Augmented (x, valid_frames, targets) of normalised ``x`` (B, 1, C, T), 0 behind its valid frames.

        ``valid_frames`` (B,) and ``targets`` (B,) are int64. A mixture is as long as the longer of its two.
        What is given stays as it is.
        """
        mixed = MixedTargets.of_classes(targets)
        if not self.training:
            return x, valid_frames, mixed
        draws = _Draws(rows or (len(x), 0, 1), x.device, generator)
        if self.mixup:
            x, valid_frames, mixed = _mixup(x, valid_frames, targets, self.mixup, draws)
        if self.masks.band_masks or self.masks.frame_masks:
            x = _mask(x, valid_frames, self.masks, draws)
        return x, valid_frames, mixed


class _Draws:
    """Random numbers for the rows that are here, out of those for all."""

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
    """Zhang et al. (2018), with a share for each sample rather than one for the batch."""
    share = draws.beta(alpha)
    partner = draws.uniform().argsort(stable=True)
    x = torch.lerp(x.index_select(0, partner), x, share[:, None, None, None])
    valid_frames = torch.maximum(valid_frames, valid_frames[partner])
    return x, valid_frames, MixedTargets(targets, targets[partner], share)


def _mask(x: Tensor, valid_frames: Tensor, spec: SpecAugmentSpec, draws: _Draws) -> Tensor:
    """Park et al. (2019): masks of whole bands, and of whole frames within the valid ones."""
    bands, frames = x.shape[-2:]
    drawn = draws.uniform(spec.band_masks + spec.frame_masks, 2)
    in_bands, in_frames = drawn[:, : spec.band_masks], drawn[:, spec.band_masks :]
    keep_bands = _keep(in_bands, spec.band_width, torch.full_like(valid_frames, bands), bands)
    keep_frames = _keep(in_frames, spec.frame_width, valid_frames, frames)
    # Two factors, since one of (B, C, T) would have to be made and read besides.
    if spec.band_masks:
        x = x * keep_bands[:, None, :, None]
    if spec.frame_masks:
        x = x * keep_frames[:, None, None, :]
    return x


def _keep(drawn: Tensor, width: int, lengths: Tensor, size: int) -> Tensor:
    """(B, size) float32, 0 in any of the masks ``drawn`` (B, masks, 2) within ``lengths`` (B,), else 1.

    A mask is 0…``width`` wide, at most the length, and lies anywhere in it, both uniformly.
    """
    lengths = lengths[:, None]
    widths = torch.minimum((drawn[..., 0] * (width + 1)).long(), lengths)
    starts = (drawn[..., 1] * (lengths - widths + 1)).long()
    at = torch.arange(size, device=drawn.device)
    inside = (at >= starts[..., None]) & (at < (starts + widths)[..., None])
    return (~inside.any(dim=1)).float()
