"""Architectures of pretrained speech encoders: what, besides the weights, determines their hidden states."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.model import Model

MOST_BLOCKS = 128
MOST_WIDTH = 16_384

Activation = Literal["gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish"]

_Width = Annotated[int, Field(ge=1, le=MOST_WIDTH)]
_Blocks = Annotated[int, Field(ge=1, le=MOST_BLOCKS)]


class _Architecture(Model):
    width: _Width
    """Values of a hidden state per frame."""
    blocks: _Blocks
    """Transformer blocks. State 0 is the input of the first block, state ``blocks`` the encoder's output."""
    heads: int = Field(ge=1, le=256)
    inner_width: int = Field(ge=1, le=4 * MOST_WIDTH)
    """Width of the feed-forward layer within a block."""
    activation: Activation = "gelu"

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} cannot be divided among {self.heads} attention heads")
        return self


class WhisperArchitecture(_Architecture):
    """Encoder of Whisper (Radford et al. 2022): log-mel, two convolutions, pre-norm transformer blocks."""

    family: Literal["whisper"] = "whisper"
    n_mels: Literal[80, 128] = 80
    positions: int = Field(1500, ge=1, le=15_000)
    """Most frames of 20 ms; Whisper's own window of 30 s has 1,500."""

    @property
    def hop(self) -> int:
        """Samples at 16 kHz per frame."""
        return 320

    def frames(self, samples: int) -> int:
        """Frames of ``samples`` samples at 16 kHz; the last one is padded with silence."""
        return -(-samples // self.hop)


class WaveformArchitecture(_Architecture):
    """Encoders of waveforms: convolutions, then transformer blocks.

    wav2vec 2.0 and XLS-R (Baevski et al. 2020, Babu et al. 2021), HuBERT (Hsu et al. 2021), WavLM (Chen et
    al. 2022), data2vec (Baevski et al. 2022).
    """

    family: Literal["wav2vec2", "hubert", "wavlm", "data2vec-audio"]
    conv_width: tuple[_Width, ...] = (512,) * 7
    conv_stride: tuple[Annotated[int, Field(ge=1, le=64)], ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: tuple[Annotated[int, Field(ge=1, le=512)], ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    conv_norm: Literal["group", "layer"] = "group"
    """``group``: normalised over time, so that padding would change every number."""
    conv_activation: Activation = "gelu"
    project_norm: bool = True
    """Whether a layer norm precedes the projection of the convolutions' output (HuBERT may lack it)."""
    position_kernel: int = Field(128, ge=1, le=1024)
    position_groups: int = Field(16, ge=1, le=1024)
    position_layers: int = Field(1, ge=1, le=32)
    """Convolutions for the position: one, or several without affine norms between them (data2vec)."""
    position_buckets: int = Field(320, ge=2, le=4096)
    position_distance: int = Field(800, ge=2, le=65_536)
    """Buckets and largest distance of WavLM's relative positions."""
    pre_norm: bool = False
    """Whether layer norms precede attention and feed-forward, and one ends the encoder (large models)."""
    norm_epsilon: float = Field(1e-5, gt=0, le=1e-2)
    normalise: bool = True
    """Whether each waveform is scaled to mean 0 and variance 1 (``do_normalize``)."""

    @model_validator(mode="after")
    def _check_convolutions(self) -> Self:
        lengths = {len(self.conv_width), len(self.conv_stride), len(self.conv_kernel)}
        if len(lengths) > 1 or lengths == {0}:
            raise ValueError("conv_width, conv_stride and conv_kernel need one value per convolution")
        if len(self.conv_width) > 16:
            raise ValueError(f"{len(self.conv_width)} convolutions exceed the limit of 16")
        if self.width % self.position_groups:
            raise ValueError(
                f"a width of {self.width} cannot be divided among {self.position_groups} position groups"
            )
        return self

    @property
    def hop(self) -> int:
        """Samples at 16 kHz per frame."""
        return math.prod(self.conv_stride)

    @property
    def shortest(self) -> int:
        """Samples at 16 kHz that one frame sees."""
        samples = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    def frames(self, samples: int) -> int:
        """Frames of ``samples`` samples at 16 kHz, of which the convolutions see all; at least one."""
        frames = max(samples, self.shortest)
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            frames = (frames - kernel) // stride + 1
        return frames


Architecture = Annotated[WhisperArchitecture | WaveformArchitecture, Field(discriminator="family")]

FAMILIES: tuple[str, ...] = ("whisper", "wav2vec2", "hubert", "wavlm", "data2vec-audio")

ENCODER_RATE = 16_000
"""Sample rate in Hz that every family expects."""
