"""Convolution blocks, flattened, followed by dense layers with batch norm.

::

    x (B, 1, C, T) ──▶ [conv 3×3 ▶ batch norm ▶ ReLU ▶ max-pool ▶ channel dropout] × blocks
                        (B, K, C', T') ──▶ (B, K·C'·T')
                   ──▶ [linear ▶ batch norm ▶ ReLU ▶ dropout] × dense layers ──▶ linear ──▶ (B, classes)

Padded frames are set to zero before every convolution and before flattening, so their content does not
matter. The number of frames is fixed, since the first dense layer has weights for each frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from schemas.architecture import BlockStep, Pool
from training.models.batch_norm import BatchNorm1d
from training.models.conv_block import conv_blocks, step_mask
from training.models.dropout import UnitDropout


class Cnn(nn.Module):
    """CNN classifier.

    Parameters
    ----------
    coefficients, frames : int
        Size of an input, C and T.
    classes : int
        Number of logits.
    dropout : float
        Share of units dropped after each dense layer.
    channels : sequence of int
        Output channels of each block; their number is the number of blocks.
    pools : sequence of (int, int)
        Max-pooling of each block, (coefficients, frames).
    block : sequence of str
        Steps after a block's convolution, in order.
    block_dropout : float
        Share of channels dropped by a block.
    dense : sequence of int
        Widths of the dense layers.

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
        channels: Sequence[int] = (64, 128, 256, 512),
        pools: Sequence[Pool] = ((2, 2), (2, 2), (2, 2), (2, 2)),
        block: Sequence[BlockStep] = ("norm", "relu", "pool", "dropout"),
        block_dropout: float = 0.2,
        dense: Sequence[int] = (512, 256),
    ) -> None:
        super().__init__()
        self.blocks, (width, bands, steps) = conv_blocks(
            coefficients, frames, channels, pools, block, block_dropout
        )
        widths = (width * bands * steps, *dense)
        self.dense = nn.ModuleList(map(DenseBlock, widths[:-1], widths[1:], [dropout] * len(dense)))
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, T) float32 with ``valid_frames`` (B,) int64 frames each."""
        x = x * step_mask(valid_frames, x.shape[-1])[:, None, None, :]
        for block in self.blocks:
            x, valid_frames = block(x, valid_frames)
        x = x.flatten(1)
        for dense in self.dense:
            x = dense(x)
        logits: Tensor = self.output(x)
        return logits


class DenseBlock(nn.Module):
    """Linear, batch norm, ReLU, dropout. The linear layer has no bias, since batch norm would cancel it."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.normalise = BatchNorm1d(outputs)
        self.dropout = UnitDropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) → (B, outputs)."""
        out: Tensor = self.dropout(self.normalise(self.linear(x)).relu_())
        return out
