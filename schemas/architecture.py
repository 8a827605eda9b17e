"""Families of models with their sizes, as recipes describe them.

A custom model gives its family and every field without a default. :mod:`schemas.named_models` has those with
names.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.messages.counts import format_count
from schemas.model import Model

BlockStep = Literal["pool", "norm", "relu", "dropout"]
"""Steps after the convolution of a block: each at most once, in the order listed."""

Pool = tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]]
"""Size of a max-pooling window: (coefficients, frames)."""

Pooling = Literal["mean", "attention", "last"]
"""How the states of all LSTM steps become one vector."""

FramePooling = Literal["mean", "mean+std", "attention", "attention+std"]
"""Mean, or mean and deviation, over the valid frames: all of equal weight, or weighted by attention."""

Statistic = Literal[
    "mean", "std", "step_size", "step_std",
    "p05", "p20", "p50", "p80", "p95", "skewness", "kurtosis",
    "lag1", "lag2", "lag4", "lag8", "slope", "curvature", "time_skew",
    "modulation1", "modulation2", "modulation3", "modulation4", "modulation5", "modulation6", "modulation7",
    "stretch1", "stretch2", "stretch3", "stretch4", "stretch5", "stretch6", "stretch7", "stretch8",
]  # fmt: skip
"""Statistic of a frame descriptor over the valid frames (:mod:`training.vectors.statistics`)."""

Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=8192)]

_C, _SHRINKAGE = 1e-3, 0.2


class _Named(Model):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Shown in reports: ``model A``."""


class ConvolutionSpec(_Named):
    """Convolution blocks, with which the families below begin."""

    channels: tuple[Width, ...] = Field(min_length=1, max_length=32)
    """Output channels of each block; one entry per block."""
    pools: tuple[Pool, ...] = Field(min_length=1, max_length=32)
    """Max-pooling window of each block, if ``block`` lists ``pool``."""
    block: tuple[BlockStep, ...] = ("pool", "norm", "relu", "dropout")
    """Steps after each 3×3 convolution, in this order: max-pooling, batch norm, ReLU and dropout."""
    block_dropout: Share = 0.3
    """Share of channels dropped in each block, if ``block`` lists ``dropout``."""

    @model_validator(mode="after")
    def _check_blocks(self) -> Self:
        if len(self.channels) != len(self.pools):
            raise ValueError(
                f"{format_count(len(self.channels), 'channel')} and "
                f"{format_count(len(self.pools), 'pool')}; give one of each per block"
            )
        if len(set(self.block)) < len(self.block):
            raise ValueError(f"a step is listed twice: {', '.join(self.block)}")
        if "pool" not in self.block and any(pool != (1, 1) for pool in self.pools):
            raise ValueError("block lists no pool; add it, or set all pools to 1 × 1")
        return self

    @property
    def frames_per_step(self) -> int:
        """Frames of the input per step after the blocks."""
        return math.prod(frames for _, frames in self.pools)


class CnnBiLstmSpec(ConvolutionSpec):
    """Convolution blocks, bidirectional LSTM layers, pooling over time, dense layers."""

    family: Literal["cnn_bilstm"] = "cnn_bilstm"
    hidden: Width = 128
    """Units of the LSTM in each direction."""
    layers: int = Field(1, ge=1, le=8)
    sequence_dropout: Share = 0.0
    """Share of the LSTM's outputs dropped before pooling."""
    pooling: Pooling = "mean"
    """Pooling over the valid steps: their mean, a learnt weighted mean, or the final state of both
    directions."""
    dense: tuple[Width, ...] = ()
    """Widths of the dense layers with ReLU before the output."""
    dropout: Share = 0.3
    """Share of units dropped after each dense layer, or of the pooled units if there is no dense layer."""


class CnnSpec(ConvolutionSpec):
    """Convolution blocks, flattening, dense layers with batch norm."""

    family: Literal["cnn"] = "cnn"
    dense: tuple[Width, ...] = (512, 256)
    """Widths of the dense layers, each with batch norm, ReLU and dropout."""
    dropout: Share = 0.3
    """Share of units dropped after each dense layer."""


class MlpSpec(_Named):
    """A multilayer perceptron: all values of a sample as one vector, dense layers with batch norm."""

    family: Literal["mlp"] = "mlp"
    hidden: tuple[Width, ...] = (256,)
    """Widths of the dense layers, each with batch norm, ReLU and dropout."""
    input_dropout: Share = 0.2
    """Share of the values of a sample that are dropped."""
    dropout: Share = 0.5
    """Share of units dropped after each dense layer."""


class LinearSpec(_Named):
    """A linear classifier or ridge regression of functionals or embeddings, trained without epochs."""

    family: Literal["linear"] = "linear"
    classifier: Literal["svm", "lda", "logistic", "ridge"]
    """A linear support vector machine, linear discriminant analysis, or logistic regression. ``ridge``: ridge
    regression, for dimensions."""
    statistics: tuple[Statistic, ...] = ()
    """Statistics of each frame descriptor, for functionals; none for embeddings."""
    c: float = Field(_C, gt=0)
    """``svm`` and ``logistic`` only: inverse strength of the L2 penalty."""
    shrinkage: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = _SHRINKAGE
    """``lda`` and ``ridge`` only: share of a multiple of the identity in the covariance (Ledoit & Wolf 2004).
    ``auto``: the share that makes held-out speakers most likely, or for ``ridge`` their CCC highest."""
    calibration: Literal["none", "temperature"] = "none"
    """``temperature``: the scores are divided by one number, under which held-out speakers are most likely
    (Guo et al. 2017).

    A model with either choice is cross-validated over the speakers of training and validation clips
    (over sentences if there is only one speaker), and fitted on all of them. The validation figures are those
    of held-out speakers.
    """

    @property
    def chooses(self) -> bool:
        """Whether held-out speakers decide something about the model."""
        return self.shrinkage == "auto" or self.calibration != "none"

    @model_validator(mode="after")
    def _check_unused(self) -> Self:
        shrinks = self.classifier in ("lda", "ridge")
        if not shrinks and self.shrinkage != _SHRINKAGE:
            raise ValueError(f"shrinkage applies to lda and ridge, not to {self.classifier}; remove it")
        if shrinks and self.c != _C:
            raise ValueError(f"c applies to svm and logistic, not to {self.classifier}; remove it")
        return self


class LayerMlpSpec(_Named):
    """A learnt weighted mean of the pooled layers of encoders, followed by a multilayer perceptron."""

    family: Literal["layer_mlp"] = "layer_mlp"
    hidden: tuple[Width, ...] = (256,)
    """Widths of the dense layers, each with batch norm, ReLU and dropout."""
    input_dropout: Share = 0.2
    """Share of the values of a sample that are dropped, after the weighted mean."""
    dropout: Share = 0.5
    """Share of units dropped after each dense layer."""


class _Attention(_Named):
    width: Width = 128
    """Values per frame after the projection."""
    input_dropout: Share = 0.2
    """Share of the values of each frame that are dropped, after the projection."""
    heads: int = Field(4, ge=1, le=64)
    """Attention heads of each block."""
    inner: Width = 256
    """Width of each feed-forward layer of a block."""
    pooling: FramePooling = "attention+std"
    """Statistics over the valid frames, each with equal weights or with learnt ones."""
    pooling_heads: int = Field(1, ge=1, le=64)
    """``attention`` only: sets of weights, each with its own statistics."""
    dense: tuple[Width, ...] = ()
    """Widths of the dense layers, each with batch norm, ReLU and dropout."""
    dropout: Share = 0.3
    """Share of units dropped after each dense layer, or of the pooled values if there is no dense layer."""

    @model_validator(mode="after")
    def _check_pooling_heads(self) -> Self:
        if not self.pooling.startswith("attention") and self.pooling_heads != 1:
            raise ValueError(f"pooling_heads applies to attention, not to {self.pooling}; remove it")
        return self

    def _require_equal_heads(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"a width of {self.width} cannot be divided among {self.heads} attention heads; "
                f"choose a multiple of {self.heads}"
            )


class FrameHeadSpec(_Attention):
    """A learnt weighted mean of an encoder's layers in each frame, transformer blocks, pooling over time."""

    family: Literal["frame_head"] = "frame_head"
    blocks: int = Field(0, ge=0, le=16)
    """Transformer blocks."""
    block_dropout: Share = 0.1
    """Share of units dropped after attention, and within and after the feed-forward layer, of each block."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.blocks:
            self._require_equal_heads()
        return self


class _Encoder(_Attention, ConvolutionSpec):
    encoder_blocks: int = Field(4, ge=1, le=16)
    """Transformer or conformer blocks."""
    distance: int = Field(16, ge=1, le=512)
    """Attention learns one bias per distance up to this many steps, and one for all larger ones."""
    encoder_dropout: Share = 0.1
    """Share of units dropped after each part of an encoder block, and within its feed-forward layers."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        self._require_equal_heads()
        return self


class TransformerSpec(_Encoder):
    """Convolution blocks, transformer blocks with relative positions, pooling over time."""

    family: Literal["transformer"] = "transformer"


class ConformerSpec(_Encoder):
    """Convolution blocks, conformer blocks with relative positions, pooling over time."""

    family: Literal["conformer"] = "conformer"
    kernel: int = Field(15, ge=1, le=255)
    """Width of the depthwise convolutions, in steps of the encoder; odd."""

    @model_validator(mode="after")
    def _check_kernel(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(
                f"a kernel of {self.kernel} steps has no middle; give an odd number such as {self.kernel + 1}"
            )
        return self


ModelSpec = Annotated[
    CnnBiLstmSpec
    | CnnSpec
    | TransformerSpec
    | ConformerSpec
    | MlpSpec
    | LayerMlpSpec
    | FrameHeadSpec
    | LinearSpec,
    Field(discriminator="family"),
]
