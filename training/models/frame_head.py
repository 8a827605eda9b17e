"""A head on the frames of an encoder: weighted layers, projection, transformer blocks, pooling over time.

::

    x (B, 1, C, T) ──▶ weighted mean of the layers ──▶ (B, T, width of the encoder)
                   ──▶ layer norm ▶ linear ▶ GELU ▶ dropout ──▶ (B, T, width)
                   ──▶ transformer block × blocks ▶ layer norm
                   ──▶ mean, or mean and deviation, over the valid frames ──▶ (B, values)
                   ──▶ [linear ▶ batch norm ▶ ReLU ▶ dropout] × dense layers, or dropout ──▶ linear
                   ──▶ (B, classes)

Each step works on frames one by one or ignores padded ones. So in evaluation a clip has the same logits
regardless of its padding, and in training padding has no effect either.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from schemas.architecture import FramePooling
from training.models.cnn import DenseBlock
from training.models.conv_block import step_mask
from training.models.dropout import UnitDropout
from training.models.frame_pooling import FrameStatistics
from training.models.layer_weights import LayerWeights
from training.models.state_layout import StateLayout
from training.models.transformer_block import TransformerBlock


class FrameHead(nn.Module):
    """Classifier of stored frames of an encoder.

    Parameters
    ----------
    states : StateLayout
        Rows of the input.
    classes : int
        Number of logits.
    width : int
        Values per frame after the projection.
    input_dropout : float
        Share of these values dropped.
    blocks, heads, inner, block_dropout : int, int, int, float
        Number of transformer blocks; their attention heads, width of the feed-forward layer, and dropout.
    pooling, pooling_heads : str, int
        Statistics over the valid frames; sets of learnt weights for them.
    dense : sequence of int
        Widths of the dense layers.
    dropout : float
        Share of units dropped after each dense layer; of the pooled values if there is none.
    """

    def __init__(
        self,
        states: StateLayout,
        classes: int,
        *,
        width: int = 128,
        input_dropout: float = 0.2,
        blocks: int = 0,
        heads: int = 4,
        inner: int = 256,
        block_dropout: float = 0.1,
        pooling: FramePooling = "attention+std",
        pooling_heads: int = 1,
        dense: Sequence[int] = (),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.layers = LayerWeights(states)
        self.normalise = nn.LayerNorm(states.size)
        self.project = nn.Linear(states.size, width)
        self.input_dropout = UnitDropout(input_dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, inner, block_dropout) for _ in range(blocks)
        )
        self.last_norm = nn.LayerNorm(width) if blocks else nn.Identity()
        self.pooling = FrameStatistics(pooling, width, pooling_heads)
        widths = (self.pooling.size, *dense)
        self.dense = nn.ModuleList(map(DenseBlock, widths[:-1], widths[1:], [dropout] * len(dense)))
        self.dropout = UnitDropout(0.0 if dense else dropout)
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, T) float32 with ``valid_frames`` (B,) int64 frames each."""
        keep = step_mask(valid_frames, x.shape[-1]) > 0
        sequence = self.normalise(self.layers(x[:, 0]).transpose(1, 2))
        sequence = self.input_dropout(F.gelu(self.project(sequence)))
        for block in self.blocks:
            sequence = block(sequence, keep)
        pooled = self.pooling(self.last_norm(sequence), valid_frames)
        for dense in self.dense:
            pooled = dense(pooled)
        logits: Tensor = self.output(self.dropout(pooled))
        return logits
