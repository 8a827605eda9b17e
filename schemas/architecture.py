"""Models as recipes describe them: families with their sizes, and the named models of the published systems.

A recipe that gives only a name uses that model. Further fields replace those of the named model. A custom
model gives its family and every field without a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from schemas.errors import UnknownNameError
from schemas.messages.counts import format_count
from schemas.messages.nearest import did_you_mean
from schemas.model import Model

BlockStep = Literal["pool", "norm", "relu", "dropout"]
"""Steps after the convolution of a block: each at most once, in the order listed."""

Pool = tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]]
"""Size of a max-pooling window: (coefficients, frames)."""

Pooling = Literal["mean", "attention", "last"]
"""How the states of all LSTM steps become one vector."""

Statistic = Literal[
    "mean", "std", "step_size", "step_std",
    "p05", "p20", "p50", "p80", "p95", "skewness", "kurtosis",
    "lag1", "lag2", "lag4", "lag8", "slope", "curvature", "time_skew",
    "modulation1", "modulation2", "modulation3", "modulation4", "modulation5", "modulation6", "modulation7",
    "stretch1", "stretch2", "stretch3", "stretch4", "stretch5", "stretch6", "stretch7", "stretch8",
]  # fmt: skip
"""Statistic of a frame descriptor over the valid frames (:mod:`training.functionals.statistics`)."""

Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=8192)]

_C, _SHRINKAGE = 1e-3, 0.2


class _Named(Model):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Shown in reports: ``model A``."""


class _Convolutions(_Named):
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


class CnnBiLstmSpec(_Convolutions):
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


class CnnSpec(_Convolutions):
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
    """A linear classifier of functionals or embeddings, trained without epochs."""

    family: Literal["linear"] = "linear"
    classifier: Literal["svm", "lda", "logistic"]
    """A linear support vector machine, linear discriminant analysis, or logistic regression."""
    statistics: tuple[Statistic, ...] = ()
    """Statistics of each frame descriptor, for functionals; none for embeddings."""
    c: float = Field(_C, gt=0)
    """``svm`` and ``logistic`` only: inverse strength of the L2 penalty."""
    shrinkage: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = _SHRINKAGE
    """``lda`` only: share of a multiple of the identity in the covariance (Ledoit & Wolf 2004); ``auto``: the
    share that makes held-out speakers most likely."""
    calibration: Literal["none", "temperature"] = "none"
    """``temperature``: the scores are divided by one number, under which held-out speakers are most likely
    (Guo et al. 2017).

    A model with either choice is cross-validated over the speakers of training and validation clips (of a
    lone speaker, over sentences), and fitted on all of them. The validation figures are those of held-out
    speakers.
    """

    @property
    def chooses(self) -> bool:
        """Whether held-out speakers decide something about the model."""
        return self.shrinkage == "auto" or self.calibration != "none"

    @model_validator(mode="after")
    def _check_unused(self) -> Self:
        if self.classifier != "lda" and self.shrinkage != _SHRINKAGE:
            raise ValueError(f"shrinkage applies to lda, not to {self.classifier}; remove it")
        if self.classifier == "lda" and self.c != _C:
            raise ValueError("c applies to svm and logistic, not to lda; remove it")
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
            LinearSpec(name="lda", classifier="lda", shrinkage="auto", calibration="temperature"),
            LinearSpec(name="svm", classifier="svm", calibration="temperature"),
            LinearSpec(name="logistic", classifier="logistic", calibration="temperature"),
        )
    }
)
"""Models by name."""


def named_model(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the model that ``values`` name, updated with the other ``values``.

    ``values`` are those of a recipe's ``[model]``. They are returned unchanged if they give a family. Raises
    :class:`UnknownNameError` if there is no model of that name.
    """
    if "family" in values or "name" not in values:
        return dict(values)
    name = values["name"]
    if not isinstance(name, str) or name not in MODELS:
        raise UnknownNameError(
            f"unknown model '{str(name)[:100]}'; {did_you_mean(str(name)[:100], MODELS)}"
            f"choose one of {', '.join(MODELS)}, or set model.family"
        )
    return {**MODELS[name].model_dump(), **values}
