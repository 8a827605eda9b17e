"""Build the network of a recipe's model."""

from __future__ import annotations

from torch import nn

from schemas.architecture import CnnBiLstmSpec, CnnSpec, LinearSpec, MlpSpec, ModelSpec
from schemas.errors import SpecError
from training.models.cnn import Cnn
from training.models.cnn_bilstm import CnnBiLstm
from training.models.mlp import Mlp


def build_model(spec: ModelSpec, coefficients: int, frames: int, classes: int) -> nn.Module:
    """Untrained network for inputs (B, 1, coefficients, frames), initialised from torch's generator.

    Its ``forward`` takes ``x`` (B, 1, C, T) float32 and ``valid_frames`` (B,) int64, and returns logits
    (B, classes).

    Raises :class:`SpecError` if the features are too small, or if the model is not a network.
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
                f"model '{spec.name}' is a linear classifier, not a network; fit it with "
                "training.linear.classifier"
            )
