"""From a recipe's model to a network."""

from __future__ import annotations

from torch import nn

from schemas.architecture import CnnBiLstmSpec, CnnSpec, LinearSpec, MlpSpec, ModelSpec
from schemas.errors import SpecError
from training.models.cnn import Cnn
from training.models.cnn_bilstm import CnnBiLstm
from training.models.mlp import Mlp


def build_model(spec: ModelSpec, coefficients: int, frames: int, classes: int) -> nn.Module:
    """Untrained network for inputs of (batch, 1, coefficients, frames), initialised from torch's generator.

    Its ``forward`` takes ``x`` (B, 1, C, T) float32 and ``valid_frames`` (B,) int64, and gives logits
    (B, classes).

    Raises :class:`SpecError` where the features are too small for it, and for a model that is no network.
    """
    match spec:
        case CnnBiLstmSpec():
            return CnnBiLstm(
                coefficients,
                frames,
                classes,
                spec.dropout,
                channels=spec.channels,
                pools=spec.pools,
                block=spec.block,
                block_dropout=spec.block_dropout,
                hidden=spec.hidden,
                layers=spec.layers,
                sequence_dropout=spec.sequence_dropout,
                pooling=spec.pooling,
                dense=spec.dense,
            )
        case CnnSpec():
            return Cnn(
                coefficients,
                frames,
                classes,
                spec.dropout,
                channels=spec.channels,
                pools=spec.pools,
                block=spec.block,
                block_dropout=spec.block_dropout,
                dense=spec.dense,
            )
        case MlpSpec():
            return Mlp(
                coefficients,
                frames,
                classes,
                hidden=spec.hidden,
                input_dropout=spec.input_dropout,
                dropout=spec.dropout,
            )
        case LinearSpec():
            raise SpecError(
                f"model '{spec.name}' is no network but a linear classifier; fit it by "
                "training.linear.classifier"
            )
