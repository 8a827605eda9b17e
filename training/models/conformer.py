"""Convolution blocks and a small conformer with relative positions, for stored frames."""

from __future__ import annotations

from torch import nn

from schemas.architecture import ConformerSpec
from training.models.conformer_block import ConformerBlock
from training.models.frame_encoder import FrameEncoder


class Conformer(FrameEncoder):
    """Conformer classifier: (B, 1, C, T) → (B, classes); its layers are those of :class:`FrameEncoder`.

    ``coefficients``, ``frames`` : size of an input. Raises :class:`SpecError` if max-pooling leaves nothing
    of it.
    """

    def __init__(self, spec: ConformerSpec, coefficients: int, frames: int, classes: int) -> None:
        encoder = (
            ConformerBlock(
                spec.width,
                spec.heads,
                spec.inner,
                spec.encoder_dropout,
                distance=spec.distance,
                kernel=spec.kernel,
            )
            for _ in range(spec.encoder_blocks)
        )
        # Each block ends with a layer norm.
        super().__init__(spec, coefficients, frames, classes, encoder, nn.Identity())
