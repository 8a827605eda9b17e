"""Predictions for recordings by trained models; :class:`Predictor` is the entry point from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.predict.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Import :class:`Predictor` on first use, so that ``ser-predict`` checks its options without torch."""
    if name == "Predictor":
        from training.predict.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
