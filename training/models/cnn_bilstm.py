"""Convolution blocks, a bidirectional LSTM and a mean over time.

::

    x (B, 1, C, T) ──▶ [conv 3×3 ▶ max-pool ▶ batch norm ▶ ReLU ▶ channel dropout] × blocks
                        (B, K, C', T')
                   ──▶ (B, T', K·C') ──▶ BiLSTM × layers ──▶ (B, T', 2H)
                   ──▶ mean over the T' steps that are valid ──▶ dropout ──▶ linear ──▶ (B, classes)

Padding never reaches the logits: what lies behind a clip's valid frames is zero before every
convolution, as if the clip ended there; the backward LSTM starts at the last valid step; the mean
leaves the rest out. So in evaluation a clip has the same logits however much padding follows it. In
training, the mean and variance that batch norm takes of a batch are over padded frames too, and so are
the running ones that evaluation uses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.errors import SpecError

Pool = tuple[int, int]
"""(coefficients, frames) that a max-pool joins."""


class CnnBiLstm(nn.Module):
    """CNN-BiLSTM classifier.

    Parameters
    ----------
    coefficients, frames : int
        Size of an input, C and T.
    classes : int
        Number of logits.
    dropout : float
        Share of channels dropped after each block, and of units before the linear layer.
    channels : sequence of int
        Output channels of each block; their number is the number of blocks.
    pools : sequence of (int, int)
        Max-pooling of each block, (coefficients, frames).
    hidden : int
        Units of the LSTM in each direction.
    layers : int
        Number of LSTM layers, one upon the other.

    Raises
    ------
    SpecError
        If pooling leaves nothing of the input.
    """

    def __init__(
        self,
        coefficients: int,
        frames: int,
        classes: int,
        dropout: float = 0.3,
        *,
        channels: Sequence[int] = (16, 32, 64, 64),
        pools: Sequence[Pool] = ((2, 2), (2, 2), (2, 1), (2, 1)),
        hidden: int = 128,
        layers: int = 1,
    ) -> None:
        super().__init__()
        bands, steps = coefficients, frames
        blocks, previous = [], 1
        for width, pool in zip(channels, pools, strict=True):
            blocks.append(ConvBlock(previous, width, pool, dropout))
            previous, bands, steps = width, bands // pool[0], steps // pool[1]
        if not bands or not steps:
            raise SpecError(
                f"features of {coefficients} coefficients × {frames} frames are too small for a model that "
                f"joins {math.prod(p[0] for p in pools)} × {math.prod(p[1] for p in pools)} of them into one"
            )
        self.blocks = nn.ModuleList(blocks)
        self.recurrent = nn.ModuleList(
            MaskedBiLstm(previous * bands if layer == 0 else 2 * hidden, hidden) for layer in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, T) float32 with ``valid_frames`` (B,) int64 frames each."""
        mask = step_mask(valid_frames, x.shape[-1])
        x = x * mask[:, None, None, :]
        for block in self.blocks:
            x, valid_frames = block(x, valid_frames)
        sequence = x.permute(0, 3, 1, 2).flatten(2)
        for layer in self.recurrent:
            sequence = layer(sequence, valid_frames)
        mask = step_mask(valid_frames, sequence.shape[1])
        mean = (sequence * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        logits: Tensor = self.output(self.dropout(mean))
        return logits


class ConvBlock(nn.Module):
    """Convolution 3×3, max-pool, batch norm, ReLU, channel dropout.

    Pooling comes before normalisation: it leaves a quarter of the memory traffic to what follows.
    """

    def __init__(self, inputs: int, outputs: int, pool: Pool, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.normalise = nn.BatchNorm2d(outputs)
        self.pool = pool
        self.dropout = dropout

    def forward(self, x: Tensor, valid_frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, C, T) → (B, K', C // pool, T // pool), zero behind the valid frames, and their number."""
        x = F.max_pool2d(self.convolution(x), self.pool)
        x = F.relu(self.normalise(x), inplace=True)
        valid_frames = torch.clamp(valid_frames // self.pool[1], min=1)
        keep = step_mask(valid_frames, x.shape[-1])[:, None, None, :]
        if self.training and self.dropout:
            kept = torch.empty(x.shape[:2], device=x.device, dtype=x.dtype).bernoulli_(1 - self.dropout)
            keep = keep * (kept / (1 - self.dropout))[:, :, None, None]
        return x * keep, valid_frames


class MaskedBiLstm(nn.Module):
    """One bidirectional LSTM layer whose backward direction starts at the last valid step."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.backwards = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        """(B, T, inputs) → (B, T, 2 · hidden). Steps behind the valid ones hold no meaning."""
        step = torch.arange(sequence.shape[1], device=sequence.device)
        mirrored = torch.where(step < valid_steps[:, None], valid_steps[:, None] - 1 - step, step)
        ahead, _ = self.forwards(sequence)
        back, _ = self.backwards(_at(sequence, mirrored))
        return torch.cat((ahead, _at(back, mirrored)), dim=2)


def step_mask(valid: Tensor, steps: int) -> Tensor:
    """(B,) numbers of valid steps → (B, steps) float32, 1 where a step is valid, else 0."""
    return (torch.arange(steps, device=valid.device) < valid[:, None]).float()


def _at(sequence: Tensor, steps: Tensor) -> Tensor:
    """(B, T, K) with its steps in the order ``steps`` (B, T)."""
    return sequence.gather(1, steps[..., None].expand_as(sequence))
