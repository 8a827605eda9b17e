"""Networks as recipes state them: a family with its sizes, and the named models of the published systems.

A recipe that gives a name alone takes that model; fields beside the name replace the model's own; a model of
one's own states its family and every field that has no default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from schemas.errors import UnknownNameError
from schemas.model import Model
from schemas.nearest import did_you_mean

BlockStep = Literal["pool", "norm", "relu", "dropout"]
"""What follows the convolution of a block; each at most once, in the order listed."""

Pool = tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]]
"""(coefficients, frames) that a max-pool joins."""

Pooling = Literal["mean", "attention", "last"]
"""How the states of all LSTM steps become one vector."""

Statistic = Literal[
    "mean", "std", "step_size", "step_std",
    "p05", "p20", "p50", "p80", "p95", "skewness", "kurtosis",
    "lag1", "lag2", "lag4", "lag8", "slope", "curvature", "time_skew",
    "modulation1", "modulation2", "modulation3", "modulation4", "modulation5", "modulation6", "modulation7",
    "stretch1", "stretch2", "stretch3", "stretch4", "stretch5", "stretch6", "stretch7", "stretch8",
]  # fmt: skip
"""Of a frame descriptor over the valid frames (:mod:`training.functionals.statistics`)."""

Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=8192)]


class _Named(Model):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """For reports: ``model A``."""


class _Convolutions(_Named):
    channels: tuple[Width, ...] = Field(min_length=1, max_length=32)
    """Output channels of each block; their number is the number of blocks."""
    pools: tuple[Pool, ...] = Field(min_length=1, max_length=32)
    """Max-pooling of each block, where ``block`` has it."""
    block: tuple[BlockStep, ...] = ("pool", "norm", "relu", "dropout")
    """Max-pool, batch norm, ReLU and dropout after each convolution 3×3, in this order."""
    block_dropout: Share = 0.3
    """Share of channels dropped in each block, where ``block`` has it."""

    @model_validator(mode="after")
    def _check_blocks(self) -> Self:
        if len(self.channels) != len(self.pools):
            raise ValueError(
                f"{len(self.channels)} channels and {len(self.pools)} pools; give one of each a block"
            )
        if len(set(self.block)) < len(self.block):
            raise ValueError(f"a step is listed twice: {', '.join(self.block)}")
        if "pool" not in self.block and any(pool != (1, 1) for pool in self.pools):
            raise ValueError("block has no pool; list it, or give pools of 1 × 1")
        return self


class CnnBiLstmSpec(_Convolutions):
    """Convolution blocks, bidirectional LSTM layers, pooling over time, dense layers."""

    family: Literal["cnn_bilstm"] = "cnn_bilstm"
    hidden: Width = 128
    """Units of the LSTM in each direction."""
    layers: int = Field(1, ge=1, le=8)
    sequence_dropout: Share = 0.0
    """Share of the LSTM's outputs dropped before pooling."""
    pooling: Pooling = "mean"
    """Over the valid steps: their mean; a learnt weighted mean; the final state of both directions."""
    dense: tuple[Width, ...] = ()
    """Widths of dense layers with ReLU before the output."""
    dropout: Share = 0.3
    """Share of units dropped after each dense layer; of the pooled ones where there is none."""


class CnnSpec(_Convolutions):
    """Convolution blocks, flattened, dense layers with batch norm."""

    family: Literal["cnn"] = "cnn"
    dense: tuple[Width, ...] = (512, 256)
    """Widths of the dense layers, each with batch norm, ReLU and dropout."""
    dropout: Share = 0.3
    """Share of units dropped after each dense layer."""


class MlpSpec(_Named):
    """A perceptron: all values of a sample side by side, dense layers with batch norm."""

    family: Literal["mlp"] = "mlp"
    hidden: tuple[Width, ...] = (256,)
    """Widths of the dense layers, each with batch norm, ReLU and dropout."""
    input_dropout: Share = 0.2
    """Of the values of a sample."""
    dropout: Share = 0.5
    """After each dense layer."""


class LinearSpec(_Named):
    """A linear classifier on functionals: statistics of each frame descriptor. It has no epochs."""

    family: Literal["linear"] = "linear"
    classifier: Literal["svm", "lda"]
    """A linear support vector machine, or linear discriminant analysis."""
    statistics: tuple[Statistic, ...] = Field(min_length=1)
    c: float = Field(1e-3, gt=0)
    """Inverse strength of the L2 penalty, of ``svm``."""
    shrinkage: float = Field(0.2, ge=0, le=1)
    """Share of a multiple of the identity in the covariance, of ``lda`` (Ledoit & Wolf 2004)."""

    @model_validator(mode="after")
    def _nothing_is_set_in_vain(self) -> Self:
        unused, user = ("shrinkage", "lda") if self.classifier == "svm" else ("c", "svm")
        if getattr(self, unused) != type(self).model_fields[unused].default:
            raise ValueError(f"{unused} is of {user}, and this is {self.classifier}; leave it out")
        return self


ModelSpec = Annotated[CnnBiLstmSpec | CnnSpec | MlpSpec | LinearSpec, Field(discriminator="family")]

_A = CnnBiLstmSpec(name="A", channels=(16, 32, 64, 64), pools=((2, 2), (2, 2), (2, 1), (2, 1)))

MODELS: Mapping[str, ModelSpec] = MappingProxyType(
    {
        model.name: model
        for model in (
            _A,
            CnnBiLstmSpec(
                name="B", channels=(16, 32, 64, 64, 128), pools=((2, 2), (2, 2), (2, 1), (2, 1), (2, 1))
            ),
            _A.model_copy(update={"name": "C"}),
            CnnBiLstmSpec(
                name="cremad",
                channels=(64,),
                pools=((2, 2),),
                block=("relu", "pool"),
                block_dropout=0.0,
                pooling="last",
                dropout=0.0,
            ),
            CnnBiLstmSpec(
                name="ravdess-attention",
                channels=(32, 64),
                pools=((2, 2), (2, 2)),
                block=("relu", "norm", "dropout", "pool"),
                block_dropout=0.2,
                sequence_dropout=0.2,
                pooling="attention",
                dropout=0.0,
            ),
            CnnBiLstmSpec(
                name="tess-delta",
                channels=(32, 64),
                pools=((2, 2), (2, 2)),
                block=("norm", "relu", "pool"),
                block_dropout=0.0,
                dense=(128,),
            ),
            CnnSpec(
                name="three-corpora-cnn",
                channels=(64, 128, 256, 512),
                pools=((2, 2), (2, 2), (2, 2), (2, 2)),
                block=("norm", "relu", "pool", "dropout"),
                block_dropout=0.2,
            ),
            MlpSpec(name="functionals-mlp"),
            LinearSpec(name="functionals", classifier="svm", statistics=("mean", "std", "p05", "p95")),
            LinearSpec(
                name="functionals-lda",
                classifier="lda",
                statistics=("mean", "std", "step_size", "step_std", "slope", "curvature", "time_skew"),
            ),
        )
    }
)
"""Models by name."""


def named_model(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the model that ``values`` name, with the other values in place of its own.

    ``values`` as a recipe's ``[model]`` has them; returned as they are where they state a family. Raises
    :class:`UnknownNameError` for a name that is no model.
    """
    if "family" in values or "name" not in values:
        return dict(values)
    if values["name"] not in MODELS:
        raise UnknownNameError(
            f"unknown model '{values['name']}'; {did_you_mean(str(values['name']), MODELS)}"
            f"choose one of {', '.join(MODELS)}, or state its family"
        )
    return {**MODELS[values["name"]].model_dump(), **values}
