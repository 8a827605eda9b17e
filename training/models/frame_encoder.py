"""A classifier with convolution blocks, an encoder of their output steps, and pooling over time.

::

    x (B, 1, C, T) ──▶ [conv 3×3 ▶ max-pool ▶ batch norm ▶ ReLU ▶ channel dropout] × blocks
                        (B, K, C', T')
                   ──▶ (B, T', K·C') ──▶ linear ▶ dropout ──▶ (B, T', width)
                   ──▶ encoder block × encoder blocks ▶ last norm
                   ──▶ mean, or mean and deviation, over the T' valid steps ──▶ (B, values)
                   ──▶ [linear ▶ batch norm ▶ ReLU ▶ dropout] × dense layers, or dropout ──▶ linear
                   ──▶ (B, classes)

Padding never affects the logits directly: padded frames are zero before every convolution, and attention and
pooling ignore padded steps. So in evaluation a clip has the same logits regardless of its padding. In
training, however, the batch norm of the convolution blocks computes mean and variance over padded frames too,
as in :mod:`training.models.cnn_bilstm`.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from schemas.architecture import ConformerSpec, TransformerSpec
from training.models.cnn import DenseBlock
from training.models.conv_block import conv_blocks, step_mask
from training.models.dropout import UnitDropout
from training.models.frame_pooling import FrameStatistics


class FrameEncoder(nn.Module):
    """Base class of the networks whose encoder reads the steps of convolution blocks.

    Parameters
    ----------
    spec : TransformerSpec or ConformerSpec
        Sizes of all layers.
    coefficients, frames : int
        Size of an input, C and T.
    classes : int
        Number of logits.
    encoder : iterable of torch.nn.Module
        Blocks from (B, T', width) and valid steps (B, T') bool to (B, T', width), in order.
    last_norm : torch.nn.Module
        Normalisation of the last block's output.

    Raises
    ------
    SpecError
        If max-pooling leaves nothing of the input.
    """

    def __init__(
        self,
        spec: TransformerSpec | ConformerSpec,
        coefficients: int,
        frames: int,
        classes: int,
        encoder: Iterable[nn.Module],
        last_norm: nn.Module,
    ) -> None:
        super().__init__()
        self.blocks, (channels, bands, _) = conv_blocks(
            coefficients, frames, spec.channels, spec.pools, spec.block, spec.block_dropout
        )
        self.project = nn.Linear(channels * bands, spec.width)
        self.input_dropout = UnitDropout(spec.input_dropout)
        self.encoder = nn.ModuleList(encoder)
        self.last_norm = last_norm
        self.pooling = FrameStatistics(spec.pooling, spec.width, spec.pooling_heads)
        widths = (self.pooling.size, *spec.dense)
        self.dense = nn.ModuleList(map(DenseBlock, widths[:-1], widths[1:], [spec.dropout] * len(spec.dense)))
        self.dropout = UnitDropout(0.0 if spec.dense else spec.dropout)
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, T) float32 with ``valid_frames`` (B,) int64 frames each."""
        x = x * step_mask(valid_frames, x.shape[-1])[:, None, None, :]
        for block in self.blocks:
            x, valid_frames = block(x, valid_frames)
        keep = step_mask(valid_frames, x.shape[-1]) > 0
        sequence = self.input_dropout(self.project(x.permute(0, 3, 1, 2).flatten(2)))
        for block in self.encoder:
            sequence = block(sequence, keep)
        pooled = self.pooling(self.last_norm(sequence), valid_frames)
        for dense in self.dense:
            pooled = dense(pooled)
        logits: Tensor = self.output(self.dropout(pooled))
        return logits
