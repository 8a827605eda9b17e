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
    sizes = spec.model_dump(exclude={"name", "family"})
    match spec:
        case CnnBiLstmSpec():
            return CnnBiLstm(coefficients, frames, classes, **sizes)
        case CnnSpec():
            return Cnn(coefficients, frames, classes, **sizes)
        case MlpSpec():
            return Mlp(coefficients, frames, classes, **sizes)
        case LinearSpec():
            raise SpecError(
                f"model '{spec.name}' is no network but a linear classifier; fit it by "
                "training.linear.classifier"
            )
