"""Weights of an ensemble, from the predictions that its runs stored for their validation clips. No torch.

::

    p(class | clip) = Σ wₖ pₖ(class | clip)     wₖ ≥ 0,  Σ wₖ = 1

The weights make the true classes of the validation clips most likely. They are mixture proportions, for which
expectation maximisation (Dempster, Laird and Rubin 1977) climbs to the only maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RunError
from training.metrics.calibration import SMALLEST
from training.metrics.predictions import Predictions
from training.runs.run import VALIDATION

Weighting = Literal["equal", "validation"]
"""Where the weights of an ensemble come from."""

_GAP = 1e-8
"""Nats per clip by which the likelihood may miss its maximum."""

_MOST_STEPS = 100_000
"""Takes about a second for a thousand clips; rarely more than a few hundred are needed."""


@dataclass(frozen=True)
class EnsembleWeights:
    """Weights of runs in their mean, in the order of the runs."""

    shares: tuple[float, ...]
    """Non-negative, with a sum of 1."""
    clips: int
    """Validation clips that all runs have."""
    same_clips: bool
    """Whether all runs have the same validation clips."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "shares": list(self.shares)}


def weigh_by_validation(runs: Sequence[Path]) -> EnsembleWeights:
    """Weights of ``runs``, at least two, by the likelihood of the validation clips that all of them have.

    Raises :class:`RunError` if a run holds no predictions for its validation clips, if no clip is in the
    validation side of all runs, or if the runs differ in their classes or in the class of a clip.
    """
    parts = [_read(run) for run in runs]
    first = parts[0]
    rows = [{clip: row for row, clip in enumerate(part.heard)} for part in parts]
    shared = [clip for clip in first.heard if all(clip in each for each in rows)]
    if not shared:
        raise RunError(
            f"{' and '.join(map(str, runs))} have no validation clip in common, so they cannot be weighted; "
            "train them with the same --seed or --split, or use --weights equal"
        )
    likelihoods = np.empty((len(parts), len(shared)))
    for k, (part, of_clip) in enumerate(zip(parts, rows, strict=True)):
        chosen = [of_clip[clip] for clip in shared]
        true = part.true[chosen]
        if part.classes != first.classes or (true != first.true[[rows[0][clip] for clip in shared]]).any():
            raise RunError(
                f"{runs[k]} and {runs[0]} have different labels for their validation clips; give runs with "
                "the same labels"
            )
        likelihoods[k] = part.probabilities[chosen, true]
    weights = maximise_likelihood(likelihoods)
    return EnsembleWeights(
        shares=tuple(map(float, weights)),
        clips=len(shared),
        same_clips=all(len(each) == len(shared) for each in rows),
    )


def maximise_likelihood(likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights (models,) on the simplex that maximise the mean of log Σ wₖ pₖ.

    ``likelihoods`` (models, clips) : the probability of each clip's true class by each model. The climb
    starts at equal weights, where models that are alike stay.
    """
    found = np.maximum(likelihoods, SMALLEST)
    weights = np.full(len(found), 1 / len(found))
    for _ in range(_MOST_STEPS):
        # The derivative by each weight: their weighted mean is 1, and the largest − 1 bounds any gain.
        gains = (found / (weights @ found)).mean(axis=1)
        if gains.max() - 1 <= _GAP:
            break
        weights = weights * gains
    return np.asarray(weights / weights.sum())


def _read(run: Path) -> Predictions:
    path = run / VALIDATION
    if not path.exists():
        raise RunError(
            f"{run} holds no predictions for its validation clips, because an older version trained it; "
            "train it again, or use --weights equal"
        )
    return Predictions.read(path)
