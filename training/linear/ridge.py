"""Ridge regression of the values of dimensions, also for more values than clips.

::

    values (n, D) ──▶ (x − mean) / scale ──▶ · coef + intercept ──▶ (n, dimensions), in the manifest's units

With standardised rows X (n, D) and centred targets Y (n, dimensions), the coefficients are
w = (1 − α) Σ⁻¹ XᵀY / n, where Σ = (1 − α) XᵀX / n + α μ I and μ = tr(XᵀX / n) / D: ridge regression (Hoerl &
Kennard 1970) with the penalty α μ / (1 − α), as a share α from 0 to 1. One eigendecomposition, of XᵀX (D, D)
or of the smaller XXᵀ (n, n), gives the solution for every α.

With ``shrinkage = "auto"``, the share is the one under which held-out speakers have the highest mean CCC::

    speakers of training and validation clips ──▶ 5 groups ──▶ each held out once ──▶ out-of-fold values
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.architecture import LinearSpec
from training.linear.choice import groups_of
from training.linear.classifier import SHRINKAGES, Floats, LinearClassifier, standardise
from training.metrics.concordance import mean_ccc

_NEGLIGIBLE = 1e-12
"""Eigenvalues below this share of the largest are rounding."""


@dataclass(frozen=True, eq=False)
class ChosenRidge:
    """A regression fitted on all clips, and what it predicts of clips that are held out.

    ``held_out`` (n, dimensions) : values of each sample by a regression without its speaker or sentence.
    """

    regression: LinearClassifier
    held_out: Floats


def fit_ridge(
    values: NDArray[np.floating], targets: Floats, shrinkages: Sequence[float]
) -> list[LinearClassifier]:
    """Fit on ``values`` (n, D) with ``targets`` (n, dimensions), once for each of ``shrinkages``, 0…1.

    The scores of the result are values in the units of ``targets``. Without shrinkage, directions in which
    the clips do not differ are ignored, as by least squares.
    """
    mean, scale, x = standardise(values)
    centre = targets.mean(axis=0)
    y = (targets - centre) / len(x)
    dual = len(x) < x.shape[1]
    eigenvalues, vectors = np.linalg.eigh((x @ x.T if dual else x.T @ x) / len(x))
    kept = eigenvalues > _NEGLIGIBLE * eigenvalues.max(initial=0)
    eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
    along = vectors.T @ (y if dual else x.T @ y)
    spread = float(np.square(x).sum()) / x.size
    fitted = []
    for share in shrinkages:
        inverse = (1 - share) / ((1 - share) * eigenvalues + share * spread)
        found = vectors @ (along * inverse[:, None])
        coef = (x.T @ found if dual else found).T
        fitted.append(LinearClassifier(mean, scale, coef, centre))
    return fitted


def fit_ridge_by_units(
    spec: LinearSpec,
    values: NDArray[np.floating],
    targets: Floats,
    units: Sequence[str],
    decide: NDArray[np.bool_],
) -> ChosenRidge:
    """Choose the shrinkage of ``spec``, and fit on all ``values`` (n, D); deterministic.

    ``targets`` (n, dimensions); ``units`` (n,) : what each sample is held out with. ``decide`` (n,) : the
    samples that count when they are held out; the others, augmented copies, only train. Raises
    :class:`RunError` for fewer than two units.
    """
    groups = groups_of(spec, units)
    predicted = np.zeros((len(SHRINKAGES), *targets.shape))
    for group in np.unique(groups):
        held = groups == group
        fitted = fit_ridge(values[~held], targets[~held], SHRINKAGES)
        predicted[:, held] = [each.scores(values[held]) for each in fitted]
    best = int(np.argmax([mean_ccc(targets[decide], each[decide]) for each in predicted]))
    (final,) = fit_ridge(values, targets, SHRINKAGES[best : best + 1])
    return ChosenRidge(final, predicted[best])
