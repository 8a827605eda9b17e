"""A convolution and the steps after it, with zeros in padded frames."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.architecture import BlockStep, Pool
from schemas.errors import SpecError
from training.models.batch_norm import BatchNorm2d
from training.models.dropout import ChannelDropout


class ConvBlock(nn.Module):
    """Convolution 3×3, then ``steps`` in order: max-pool, batch norm, ReLU, channel dropout.

    Pooling first reduces the memory traffic of the following steps to a quarter. The convolution has a bias,
    unless batch norm would cancel it. In training, batch norm's mean and variance include padded frames.
    """

    def __init__(
        self, inputs: int, outputs: int, pool: Pool, steps: Sequence[BlockStep], dropout: float
    ) -> None:
        super().__init__()
        first = next((step for step in steps if step != "pool"), None)
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=first != "norm")
        self.normalise = BatchNorm2d(outputs) if "norm" in steps else nn.Identity()
        self.dropout = ChannelDropout(dropout)
        self.pool = pool
        self.steps = tuple(steps)

    def forward(self, x: Tensor, valid_frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, C, T) → (B, K', C // pool, T // pool), zero in padded frames, and the valid frames left.

        ``valid_frames`` (B,) int64; at least one frame stays valid.
        """
        x = self.convolution(x)
        factors = None
        for step in self.steps:
            match step:
                case "pool":
                    x = F.max_pool2d(x, self.pool)
                    valid_frames = torch.clamp(valid_frames // self.pool[1], min=1)
                case "relu":
                    x = F.relu(x, inplace=True)
                case "norm":
                    x = self.normalise(x if factors is None else x * factors)
                    factors = None
                case "dropout" if self.dropout.active:
                    # Max-pool and ReLU commute with factors ≥ 0, so these are applied with the mask.
                    factors = self.dropout.factors(x)
        keep = step_mask(valid_frames, x.shape[-1])[:, None, None, :].to(x.dtype)
        factors = keep if factors is None else keep * factors
        # Expanded over the channels in the layout of x; otherwise a CPU multiplies value by value.
        factors = factors.expand(-1, x.shape[1], -1, -1).contiguous(memory_format=torch.channels_last)
        return x * factors, valid_frames


def conv_blocks(
    coefficients: int,
    frames: int,
    channels: Sequence[int],
    pools: Sequence[Pool],
    steps: Sequence[BlockStep],
    dropout: float,
) -> tuple[nn.ModuleList, tuple[int, int, int]]:
    """Blocks for inputs (B, 1, coefficients, frames), and the shape (K, C, T) of the last one's output.

    Raises :class:`SpecError` if pooling leaves nothing of the input.
    """
    blocks, previous, bands, length = [], 1, coefficients, frames
    for width, pool in zip(channels, pools, strict=True):
        blocks.append(ConvBlock(previous, width, pool, steps, dropout))
        previous, bands, length = width, bands // pool[0], length // pool[1]
    if not bands or not length:
        raise SpecError(
            f"features of {coefficients} coefficients × {frames} frames are too small for a model that pools "
            f"{math.prod(p[0] for p in pools)} × {math.prod(p[1] for p in pools)} of them into one"
        )
    return nn.ModuleList(blocks), (previous, bands, length)


def step_mask(valid: Tensor, steps: int) -> Tensor:
    """Numbers of valid steps (B,) → (B, steps) float32, 1 for valid steps, else 0."""
    return (torch.arange(steps, device=valid.device) < valid[:, None]).float()
