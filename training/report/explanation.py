"""What a model listens to on its test clips: records, and plain values for ``explanation.json``. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import RunError
from schemas.recipe import first_problem
from training.metrics.importance import Importance, PermutationCounts

EXPLANATION = "explanation.json"
"""File of a run or series."""


@dataclass(frozen=True, eq=False)
class AttendedClip:
    """Weights over time of attention pooling for one test clip, beside a feature to show with them.

    ``weights`` (steps,) float64 sum to 1 over the valid steps, each ``step_s`` seconds; the first step begins
    at 0 s of what the model hears. ``values`` (rows, frames) are ``feature`` as stored, without padded
    frames, ``hop_s`` seconds apart.
    """

    clip_id: str
    true: str
    predicted: str
    probability: float
    """Of the predicted emotion."""
    weights: NDArray[np.float64]
    step_s: float
    feature: str
    values: NDArray[np.floating]
    hop_s: float

    @property
    def is_right(self) -> bool:
        """Whether the predicted emotion is the true one."""
        return self.true == self.predicted

    @property
    def peak_s(self) -> float:
        """Middle of the step with the largest weight, seconds."""
        return (float(self.weights.argmax()) + 0.5) * self.step_s

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the feature, which the store has."""
        return {
            "clip_id": self.clip_id,
            "true": self.true,
            "predicted": self.predicted,
            "probability": self.probability,
            "step_s": self.step_s,
            "weights": self.weights.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """Importance of each part of the input, and attention over time for some clips."""

    counts: PermutationCounts
    attention: tuple[AttendedClip, ...] = ()
    """Empty for a model without attention pooling, for several models, and for a series."""

    @property
    def importance(self) -> Importance:
        """Importance of each part, with intervals."""
        return self.counts.importance()

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``explanation.json`` of a run: results, and the counts that give them."""
        return {
            "format": 1,
            **self.results_json(),
            "speakers": list(self.counts.speakers),
            "unchanged": self.counts.unchanged.tolist(),
            "permuted": {name: counts.tolist() for name, counts in self.counts.permuted.items()},
        }

    def results_json(self) -> dict[str, Any]:
        """Plain values of the results alone."""
        found = self.importance
        return {
            "ua": found.ua,
            "clips": found.clips,
            "repeats": found.repeats,
            "parts": [asdict(part) for part in found.parts],
            "attention": [clip.to_json() for clip in self.attention],
        }


class _Counts(BaseModel):
    """The part of ``explanation.json`` from which results of several folds are pooled."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    speakers: tuple[str, ...]
    unchanged: list[list[list[int]]]
    permuted: dict[str, list[list[list[list[int]]]]]


def read_counts(folder: Path) -> PermutationCounts:
    """Counts of the ``explanation.json`` in ``folder``. Raises :class:`RunError` if it holds none."""
    path = folder / EXPLANATION
    try:
        found = _Counts.model_validate_json(path.read_bytes())
        counts = PermutationCounts(
            found.speakers,
            np.array(found.unchanged, np.int64),
            {name: np.array(each, np.int64) for name, each in found.permuted.items()},
        )
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    except ValidationError as error:
        raise RunError(
            f"{path} is damaged ({first_problem(error)}); measure it again with --explain"
        ) from error
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); measure it again with --explain") from error
    shape = (len(counts.speakers), *counts.unchanged.shape[1:])
    if (
        counts.unchanged.ndim != 3
        or counts.unchanged.shape != shape
        or len({*shape[1:]}) != 1
        or any(each.shape[1:] != shape for each in counts.permuted.values())
    ):
        raise RunError(f"{path} is damaged (its counts do not fit together); measure it again with --explain")
    return counts
