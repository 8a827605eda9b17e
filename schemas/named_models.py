"""Models by name: those of the published systems, and heads for features of encoders.

A recipe that gives only a name uses that model. Further fields replace those of the named model.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from schemas.architecture import (
    CnnBiLstmSpec,
    CnnSpec,
    ConformerSpec,
    FrameHeadSpec,
    LayerMlpSpec,
    LinearSpec,
    MlpSpec,
    ModelSpec,
    TransformerSpec,
)
from schemas.errors import UnknownNameError
from schemas.messages.nearest import did_you_mean

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
            TransformerSpec(
                name="ravdess-transformer", channels=_A.channels, pools=_A.pools, block_dropout=0.1
            ),
            ConformerSpec(
                name="ravdess-conformer",
                channels=_A.channels,
                pools=_A.pools,
                block_dropout=0.1,
                width=96,
                inner=192,
            ),
            MlpSpec(name="functionals-mlp"),
            LinearSpec(name="functionals", classifier="svm", statistics=("mean", "std", "p05", "p95")),
            LinearSpec(
                name="functionals-lda",
                classifier="lda",
                statistics=("mean", "std", "step_size", "step_std", "slope", "curvature", "time_skew"),
            ),
            LinearSpec(
                name="functionals-ridge",
                classifier="ridge",
                shrinkage="auto",
                statistics=("mean", "std", "step_size", "step_std", "slope", "curvature", "time_skew"),
            ),
            LinearSpec(name="ridge", classifier="ridge", shrinkage="auto"),
            LinearSpec(name="lda", classifier="lda", shrinkage="auto", calibration="temperature"),
            LinearSpec(name="svm", classifier="svm", calibration="temperature"),
            LinearSpec(name="logistic", classifier="logistic", calibration="temperature"),
            LayerMlpSpec(name="layer-mlp"),
            FrameHeadSpec(name="frame-head"),
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
