"""From a recipe's model to a network."""

from __future__ import annotations

from schemas.architecture import CnnBiLstmSpec, ModelSpec
from schemas.errors import SpecError
from training.models.cnn_bilstm import CnnBiLstm


def build_model(spec: ModelSpec, coefficients: int, frames: int, classes: int) -> CnnBiLstm:
    """Untrained model for inputs of (batch, 1, coefficients, frames), initialised from torch's generator.

    Raises :class:`SpecError` where the features are too small for it.
    """
    match spec:
        case CnnBiLstmSpec(pooling="mean", dense=()):
            return CnnBiLstm(
                coefficients,
                frames,
                classes,
                spec.dropout,
                channels=spec.channels,
                pools=spec.pools,
                hidden=spec.hidden,
                layers=spec.layers,
            )
        case _:
            raise SpecError(f"model '{spec.name}' cannot be built")
