"""Models by the short names that recipes use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from schemas.errors import UnknownNameError
from training.models.cnn_bilstm import CnnBiLstm

ModelBuilder = Callable[[int, int, int, float], CnnBiLstm]
"""(coefficients, frames, classes, dropout) → an untrained model."""


def _a(coefficients: int, frames: int, classes: int, dropout: float) -> CnnBiLstm:
    """Build four convolution blocks and one BiLSTM (R1 model A)."""
    return CnnBiLstm(coefficients, frames, classes, dropout)


MODELS: Mapping[str, ModelBuilder] = MappingProxyType({"A": _a})


def build_model(name: str, coefficients: int, frames: int, classes: int, dropout: float) -> CnnBiLstm:
    """Untrained model for inputs of (batch, 1, coefficients, frames), initialised from torch's generator.

    Raises :class:`UnknownNameError` for a name that is no model, :class:`SpecError` where the features
    are too small for it.
    """
    if name not in MODELS:
        raise UnknownNameError(f"unknown model '{name}'; choose one of {', '.join(MODELS)}")
    return MODELS[name](coefficients, frames, classes, dropout)
