"""What a temperature does to probabilities: calibration error and log loss before and after. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from schemas.errors import RunError
from schemas.recipe import first_problem
from training.metrics.calibration import calibration_of, log_loss

Floats = NDArray[np.float64]

HeldOutBy = Literal["speaker", "sentence"]
"""What is held out as a whole."""


@dataclass(frozen=True)
class Reliability:
    """How far probabilities can be trusted."""

    ece: float
    """Expected calibration error, 0…1: :class:`training.metrics.calibration.Calibration`."""
    log_loss: float
    """Mean cross-entropy, nats."""

    @classmethod
    def of(cls, true: NDArray[np.int64], probabilities: Floats) -> Self:
        """Measure ``probabilities`` (clips, classes) for class indices (clips,), in float32 as results do."""
        rounded = probabilities.astype(np.float32).astype(np.float64)
        return cls(calibration_of(true, rounded).ece, log_loss(true, rounded))


@dataclass(frozen=True)
class BeforeAndAfter:
    """The same clips without and with the temperature."""

    before: Reliability
    after: Reliability


@dataclass(frozen=True)
class TemperatureEffect:
    """The temperature of a classifier and its effect, over the model's own classes."""

    temperature: float
    """By which scores are divided before the softmax."""
    clips: int
    """Original clips of training and validation that it was fitted on, each scored without its unit."""
    held_out: BeforeAndAfter
    """On these clips. The temperature minimises their log loss, so ``after`` is slightly too good."""
    test: BeforeAndAfter
    by: HeldOutBy = "speaker"
    """What a unit is: the clips of one speaker, or those of one sentence if there is one speaker."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; :meth:`from_json` gives an equal effect."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object, name: str) -> TemperatureEffect:
        """Effect from the values of :meth:`to_json`; ``name`` is the file's. Raises :class:`RunError`."""
        try:
            return _EFFECT.validate_python(values)
        except ValidationError as error:
            raise RunError(f"{name}: temperature: {first_problem(error)}; start a new run") from error


_EFFECT = TypeAdapter(TemperatureEffect)
