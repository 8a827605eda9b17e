"""Predictions as JSON: what ``ser-predict --json`` prints and the service answers."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    NotRequired,  # that of typing has no schema before Python 3.12
)

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from training.predict.predictor import Prediction  # takes seconds to import

JSON_FORMAT = 1
"""Format of the document; increased when a field changes or is removed, not when one is added."""


class PredictionJson(TypedDict):
    """One prediction of a clip; ``emotion`` and ``probabilities`` are null for silence."""

    start_s: float
    stop_s: float
    unheard_s: float
    emotion: str | None
    probabilities: dict[str, float] | None


class ValuesJson(TypedDict):
    """One prediction of a clip by a regression; ``values`` is null for silence."""

    start_s: float
    stop_s: float
    unheard_s: float
    values: dict[str, float] | None


class ClipJson(TypedDict):
    """One clip with its predictions, or with the problem that prevents any."""

    clip: str
    problem: str | None
    predictions: list[PredictionJson | ValuesJson]
    explanation: NotRequired[dict[str, Any]]
    """Only with ``ser-predict --explain``: the picture, and the effect of each hidden window and band."""


def prediction_json(prediction: Prediction) -> PredictionJson | ValuesJson:
    """One prediction of a classifier or a regression."""
    return _values_json(prediction) if prediction.dimensions else _emotion_json(prediction)


def _emotion_json(prediction: Prediction) -> PredictionJson:
    ranked = prediction.ranked
    return {
        "start_s": prediction.start_s,
        "stop_s": prediction.stop_s,
        "unheard_s": prediction.unheard_s,
        "emotion": ranked[0][0] if ranked else None,
        "probabilities": dict(ranked) if ranked else None,
    }


def _values_json(prediction: Prediction) -> ValuesJson:
    values = prediction.values
    named = None if values is None else dict(zip(prediction.dimensions, values.tolist(), strict=True))
    return {
        "start_s": prediction.start_s,
        "stop_s": prediction.stop_s,
        "unheard_s": prediction.unheard_s,
        "values": named,
    }


def utf8_name(name: str) -> str:
    """A file's name as UTF-8, with escapes for bytes of other encodings."""
    return name.encode("utf-8", "backslashreplace").decode()
