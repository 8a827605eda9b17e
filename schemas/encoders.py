"""Architectures of pretrained speech encoders: what, besides the weights, determines their hidden states."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from schemas.model import Model

MOST_BLOCKS = 128
MOST_WIDTH = 16_384

Precision = Literal["float32", "bfloat16", "float16"]

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

    @property
    def first_centre(self) -> float:
        """Sample at 16 kHz on which the first frame is centred."""
        return 0.0

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

    @property
    def first_centre(self) -> float:
        """Sample at 16 kHz on which the first frame is centred."""
        return (self.shortest - 1) / 2

    def frames(self, samples: int) -> int:
        """Frames of ``samples`` samples at 16 kHz, of which the convolutions see all; at least one."""
        frames = max(samples, self.shortest)
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            frames = (frames - kernel) // stride + 1
        return frames


Architecture = Annotated[WhisperArchitecture | WaveformArchitecture, Field(discriminator="family")]

_ARCHITECTURE: TypeAdapter[Architecture] = TypeAdapter(Architecture)


def parse_architecture(values: Any) -> Architecture:
    """An architecture from its fields. Raises pydantic's ValidationError."""
    return _ARCHITECTURE.validate_python(values)


FAMILIES: tuple[str, ...] = ("whisper", "wav2vec2", "hubert", "wavlm", "data2vec-audio")

ENCODER_RATE = 16_000
"""Sample rate in Hz that every family expects."""


_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")


class EncoderSpec(Model):
    """Hidden states of a frozen pretrained encoder, computed from each view at 16 kHz.

    Pooled over a clip's real frames: (layers × statistics × width, 1), in this order, in the network's own
    unit. As ``frames``: (layers × width, frames), one frame per ``stride`` frames of the encoder.
    """

    kind: Literal["encoder"] = "encoder"
    name: str
    """Name of the feature, and of its arrays: lower-case letters, digits, dots and hyphens, at most 32."""
    architecture: Architecture | None = None
    """Of the weights. A recipe may leave it out: the build fills it in from the weights that it finds."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of the file of the weights. A recipe may leave it out."""
    layers: tuple[Annotated[int, Field(ge=0, le=MOST_BLOCKS)], ...] | None = Field(None, min_length=1)
    """Hidden states, ascending: 0 is the input of the first block, i the output of block i; null: all."""
    pooling: Literal["mean", "mean+std", "frames"] = "mean+std"
    """Statistics over a clip's frames (population standard deviation), or the frames themselves."""
    stride: int = Field(1, ge=1, le=100)
    """Frames of the encoder that are averaged into one stored frame; for ``frames`` alone."""
    window: Literal["clip"] | Annotated[float, Field(gt=0, le=60)] = "clip"
    """What the encoder sees: the clip alone, or this many seconds of it, padded with silence."""
    precision: Precision = "float32"
    """Arithmetic of the network. ``bfloat16`` and ``float16``: its matrix products and convolutions (mixed
    precision). ``bfloat16`` is about twice as fast if the processor supports it, else slower, and changes
    values by up to 1 % of the largest. ``float16`` is for GPUs, eight times more precise, and overflows above
    65,504; CPUs compute it, too, but slowly."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"the name of an encoder has 1 to 32 lower-case letters, digits, dots and hyphens, unlike "
                f"'{self.name[:40]}'"
            )
        if self.name in RESERVED_NAMES:
            raise ValueError(f"an encoder cannot be named '{self.name}'; that name has another meaning")
        if self.layers is not None and list(self.layers) != sorted(set(self.layers)):
            raise ValueError(f"layers {list(self.layers)} must be ascending, each once")
        if self.pooling != "frames" and self.stride != 1:
            raise ValueError(f'stride {self.stride} applies only to pooling = "frames"')
        if self.architecture is not None:
            blocks = self.architecture.blocks
            if self.layers is not None and self.layers[-1] > blocks:
                raise ValueError(f"{self.name} has no layer {self.layers[-1]}; its layers are 0 to {blocks}")
        return self

    def complete(self, architecture: Architecture, sha256: str) -> EncoderSpec:
        """The feature with what a recipe may leave out: architecture, hash and all layers."""
        given = {"architecture": architecture, "sha256": self.sha256 or sha256}
        found = EncoderSpec.model_validate({**self.model_dump(), **given})
        return found.model_copy(update={"layers": found.all_layers})

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of the statistics, in their order; none for frames."""
        return () if self.pooling == "frames" else tuple(self.pooling.split("+"))

    @property
    def known_architecture(self) -> Architecture:
        """The architecture. Raises ValueError if it is not known yet."""
        if self.architecture is None or self.sha256 is None:
            raise ValueError(f"the weights of the encoder {self.name} are not known yet")
        return self.architecture

    @property
    def needs_transformers(self) -> bool:
        """Whether its network is that of the package ``transformers``; Whisper's is this project's own."""
        return not isinstance(self.known_architecture, WhisperArchitecture)

    @property
    def all_layers(self) -> tuple[int, ...]:
        """The layers, also if they were left out."""
        return self.layers or tuple(range(self.known_architecture.blocks + 1))

    @property
    def coefficients(self) -> int:
        """Rows of the stored array."""
        return len(self.all_layers) * max(1, len(self.statistics)) * self.known_architecture.width

    def frames(self, samples: int, sample_rate: int) -> int:
        """Stored frames of ``samples`` samples at ``sample_rate`` Hz; 1 if pooled, 0 for no samples."""
        if samples <= 0:
            return 0
        if self.pooling != "frames":
            return 1
        return -(-self.encoder_frames(samples, sample_rate) // self.stride)

    def encoder_frames(self, samples: int, sample_rate: int) -> int:
        """Real frames of the encoder for ``samples`` samples at ``sample_rate`` Hz, without its padding."""
        resampled = -(-samples * ENCODER_RATE // sample_rate)
        if self.window != "clip":
            resampled = min(resampled, round(self.window * ENCODER_RATE))
        return self.known_architecture.frames(resampled)


RESERVED_NAMES = frozenset(
    {"all", "encoder", "frame", "zarr.json"} | {"mel", "mfcc", "delta", "delta2", "chroma", "rms", "zcr"}
)
"""Words that cannot name an encoder: features, coordinates and files of a store."""
