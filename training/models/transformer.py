"""Convolution blocks and a small transformer encoder with relative positions, for stored frames."""

from __future__ import annotations

from torch import nn

from schemas.architecture import TransformerSpec
from training.models.frame_encoder import FrameEncoder
from training.models.transformer_block import TransformerBlock


class Transformer(FrameEncoder):
    """Transformer classifier: (B, 1, C, T) → (B, classes); its layers are those of :class:`FrameEncoder`.

    ``coefficients``, ``frames`` : size of an input. Raises :class:`SpecError` if max-pooling leaves nothing
    of it.
    """

    def __init__(self, spec: TransformerSpec, coefficients: int, frames: int, classes: int) -> None:
        encoder = (
            TransformerBlock(spec.width, spec.heads, spec.inner, spec.encoder_dropout, spec.distance)
            for _ in range(spec.encoder_blocks)
        )
        super().__init__(spec, coefficients, frames, classes, encoder, nn.LayerNorm(spec.width))
