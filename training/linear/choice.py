"""Choices about a linear classifier by cross-validation over speakers, or sentences of a single speaker.

::

    speakers of training and validation clips ──▶ 5 groups ──▶ each held out once ──▶ out-of-fold scores
    out-of-fold scores ──▶ temperature ──▶ likelihood of the held-out clips, for each shrinkage ──▶ the best

The likelihood varies smoothly with the shrinkage, while UA on few speakers jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from schemas.architecture import LinearSpec
from schemas.errors import RunError
from schemas.training import ClassWeights
from training.linear.calibration import fit_temperature, likelihood
from training.linear.classifier import SHRINKAGES, LinearClassifier, fit_all, fit_classifier

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Chosen:
    """A classifier fitted on all clips, and what it predicts of clips that are held out.

    ``scores`` : (n, classes), before the temperature; those of a sample are by a classifier that did not have
    its unit: its speaker, or its sentence.
    """

    classifier: LinearClassifier
    scores: NDArray[np.float64]

    @property
    def held_out(self) -> NDArray[np.float64]:
        """Probabilities (n, classes) of the samples, each by a classifier without its unit."""
        return self.classifier.probabilities(self.scores)


def fit_by_units(
    spec: LinearSpec,
    values: NDArray[np.floating],
    targets: NDArray[np.int64],
    units: Sequence[str],
    decide: NDArray[np.bool_],
    classes: int,
    class_weights: ClassWeights = "none",
) -> Chosen:
    """Choose shrinkage and temperature of ``spec``, and fit on all ``values`` (n, D); deterministic.

    ``units`` (n,) : what each sample is held out with. ``decide`` (n,) : the samples that count when they are
    held out; the others, augmented copies, only train.

    Raises :class:`RunError` for fewer than two units, or if the samples without a group of units are all of
    one class.
    """
    groups = groups_of(spec, units)
    candidates = len(SHRINKAGES) if spec.shrinkage == "auto" else 1
    scores = np.zeros((candidates, len(targets), classes))
    for group in np.unique(groups):
        held = groups == group
        fitted = fit_all(spec, values[~held], targets[~held], classes, class_weights)
        scores[:, held] = [each.scores(values[held]) for each in fitted]
    calibrated = spec.calibration == "temperature"
    decided = [fit_temperature(each[decide], targets[decide]) if calibrated else 1.0 for each in scores]
    likelihoods = [
        likelihood(each[decide], targets[decide], temperature)
        for each, temperature in zip(scores, decided, strict=True)
    ]
    best = int(np.argmax(likelihoods))
    fixed = {"shrinkage": SHRINKAGES[best]} if spec.shrinkage == "auto" else {}
    final = fit_classifier(spec.model_copy(update=fixed), values, targets, classes, class_weights)
    chosen = replace(final, temperature=decided[best])
    return Chosen(chosen, scores[best])


def groups_of(spec: LinearSpec, units: Sequence[str]) -> NDArray[np.int64]:
    """The group (n,) that holds out each sample, of at most :data:`FOLDS`; a unit is in one group.

    Raises :class:`RunError` for fewer than two units.
    """
    names = sorted(set(units))
    if len(names) < 2:
        raise RunError(
            f"model {spec.name} is chosen by held-out speakers or sentences, but training and validation "
            "have one speaker and fewer than two known sentences; choose a protocol with more, or set "
            "model.shrinkage and model.calibration"
        )
    group_of = {name: index % FOLDS for index, name in enumerate(names)}
    return np.array([group_of[name] for name in units], dtype=np.int64)
