"""Convolution blocks, bidirectional LSTM layers, pooling over time, dense layers.

::

    x (B, 1, C, T) ──▶ [conv 3×3 ▶ max-pool ▶ batch norm ▶ ReLU ▶ channel dropout] × blocks
                        (B, K, C', T')
                   ──▶ (B, T', K·C') ──▶ BiLSTM × layers ──▶ (B, T', 2H) ──▶ dropout
                   ──▶ mean, attention or final states over the T' valid steps ──▶ (B, 2H)
                   ──▶ [linear ▶ ReLU] × dense layers ──▶ dropout ──▶ linear ──▶ (B, classes)

Padding never affects the logits directly: padded frames are zero before every convolution, as if the clip
ended there; the backward LSTM starts at the last valid step; pooling ignores padded steps. So in evaluation
a clip has the same logits regardless of its padding. In training, however, batch norm computes mean and
variance over padded frames too, and so do the running statistics that evaluation uses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from schemas.architecture import BlockStep, Pool, Pooling
from training.models.bilstm import MaskedBiLstm
from training.models.conv_block import conv_blocks, step_mask
from training.models.dropout import UnitDropout
from training.models.time_pooling import pooling_of


class CnnBiLstm(nn.Module):
    """CNN-BiLSTM classifier.

    Parameters
    ----------
    coefficients, frames : int
        Size of an input, C and T.
    classes : int
        Number of logits.
    dropout : float
        Share of units dropped after each dense layer; before the output if there are no dense layers.
    channels : sequence of int
        Output channels of each block; their number is the number of blocks.
    pools : sequence of (int, int)
        Max-pooling of each block, (coefficients, frames).
    block : sequence of str
        Steps after a block's convolution, in order.
    block_dropout : float
        Share of channels dropped by a block.
    hidden : int
        Units of the LSTM in each direction.
    layers : int
        Number of stacked LSTM layers.
    sequence_dropout : float
        Share of the LSTM's outputs dropped before pooling.
    pooling : {'mean', 'attention', 'last'}
        How the states of all steps become one vector.
    dense : sequence of int
        Widths of dense layers before the output.

    Raises
    ------
    SpecError
        If max-pooling leaves nothing of the input.
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
        block: Sequence[BlockStep] = ("pool", "norm", "relu", "dropout"),
        block_dropout: float = 0.3,
        hidden: int = 128,
        layers: int = 1,
        sequence_dropout: float = 0.0,
        pooling: Pooling = "mean",
        dense: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.blocks, (width, bands, _) = conv_blocks(
            coefficients, frames, channels, pools, block, block_dropout
        )
        self.recurrent = nn.ModuleList(
            MaskedBiLstm(width * bands if layer == 0 else 2 * hidden, hidden) for layer in range(layers)
        )
        self.sequence_dropout = UnitDropout(sequence_dropout)
        self.pooling = pooling_of(pooling, 2 * hidden)
        widths = (2 * hidden, *dense)
        self.dense = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.dropout = UnitDropout(dropout)
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, T) float32 with ``valid_frames`` (B,) int64 frames each."""
        x = x * step_mask(valid_frames, x.shape[-1])[:, None, None, :]
        for block in self.blocks:
            x, valid_frames = block(x, valid_frames)
        sequence = x.permute(0, 3, 1, 2).flatten(2)
        for layer in self.recurrent:
            sequence = layer(sequence, valid_frames)
        pooled: Tensor = self.pooling(self.sequence_dropout(sequence), valid_frames)
        for linear in self.dense:
            pooled = self.dropout(F.relu(linear(pooled)))
        logits: Tensor = self.output(pooled if len(self.dense) else self.dropout(pooled))
        return logits
