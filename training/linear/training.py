"""Training of a linear classifier or regression by a plan, and its predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from featurestore.places.durable import storage_errors
from featurestore.store import FeatureStore
from schemas.architecture import LinearSpec
from training.linear.calibration import measure_temperature
from training.linear.choice import fit_by_units
from training.linear.classifier import LinearClassifier, fit_classifier
from training.linear.held_out import HeldOutUnits, units_to_hold_out
from training.linear.load import load_classifier
from training.linear.ridge import fit_ridge, fit_ridge_by_units
from training.loop.network import TrainingOutcome
from training.metrics.temperature import TemperatureEffect
from training.plan.plan import Plan
from training.runs.observer import Observer
from training.runs.run import RunFolder, RunRecord
from training.samples.samples import Samples
from training.splits.side import ORIGINAL_VIEW, Side
from training.vectors.clip_vectors import vectors_of
from training.vectors.source import read_vectors

_KNOWN: tuple[Side, ...] = ("train", "validation")
"""Sides that a model with choices is fitted on."""


def train_linear(planned: Plan, folder: RunFolder, spec: LinearSpec, observer: Observer) -> TrainingOutcome:
    """Fit on the training side and predict the others. This takes seconds, so it cannot be resumed.

    Raises :class:`RunError` if all training samples are of one class.
    """
    record, store, samples = planned.record, planned.store, planned.samples
    observer.loading_started(sum(map(len, samples.values())))
    values: dict[Side, NDArray[np.float32]] = {
        side: vectors_of_samples(store, read, record, observer.loaded) for side, read in samples.items()
    }
    if planned.record.dimensions:
        calibrated = None
        fitted, validation = _fit_regression(planned, spec, values)
        tested = fitted.scores(values["test"])
    else:
        fitted, validation, calibrated = _fit(planned, spec, values)
        tested = fitted.predict(values["test"])
    with storage_errors(folder.path, retry=f"run {planned.resume_command(folder.path)}"):
        fitted.save(folder.linear)
    return TrainingOutcome(
        history=(),
        best_epoch=None,
        parameters=fitted.parameters,
        results={"validation": validation, "test": tested},
        temperature=calibrated,
    )


def _fit(
    planned: Plan, spec: LinearSpec, values: Mapping[Side, NDArray[np.float32]]
) -> tuple[LinearClassifier, NDArray[np.float64], TemperatureEffect | None]:
    """The classifier, probabilities of the validation clips by one without their units, temperature."""
    record, samples = planned.record, planned.samples
    classes, weights = len(record.classes), record.recipe.train.class_weights
    if not spec.chooses and record.searched is None:
        fitted = fit_classifier(spec, values["train"], samples["train"].classes, classes, weights)
        return fitted, fitted.predict(values["validation"]), None
    targets = np.concatenate([samples[side].classes for side in _KNOWN])
    originals, units = _originals_and_units(planned)
    chosen = fit_by_units(
        spec,
        np.concatenate([values[side] for side in _KNOWN]),
        targets,
        units.names,
        originals,
        classes,
        weights,
    )
    effect = None
    if spec.calibration == "temperature":
        tested = chosen.classifier.scores(values["test"])
        effect = measure_temperature(
            chosen.classifier,
            chosen.scores[originals],
            targets[originals],
            tested,
            samples["test"].classes,
            units.by,
        )
    return chosen.classifier, chosen.held_out[len(samples["train"]) :], effect


def _fit_regression(
    planned: Plan, spec: LinearSpec, values: Mapping[Side, NDArray[np.float32]]
) -> tuple[LinearClassifier, NDArray[np.float64]]:
    """The regression, and values of the validation clips by one without their units."""
    samples = planned.samples
    if spec.shrinkage != "auto":
        (fitted,) = fit_ridge(values["train"], samples["train"].values, [spec.shrinkage])
        return fitted, fitted.scores(values["validation"])
    originals, units = _originals_and_units(planned)
    chosen = fit_ridge_by_units(
        spec,
        np.concatenate([values[side] for side in _KNOWN]),
        np.concatenate([samples[side].values for side in _KNOWN]),
        units.names,
        originals,
    )
    return chosen.regression, chosen.held_out[len(samples["train"]) :]


def _originals_and_units(planned: Plan) -> tuple[NDArray[np.bool_], HeldOutUnits]:
    """Which samples of training and validation are originals, and what each is held out with."""
    samples = planned.samples
    originals = np.concatenate([samples[side].views == ORIGINAL_VIEW for side in _KNOWN])
    clips = np.concatenate([samples[side].clips for side in _KNOWN])
    return originals, units_to_hold_out(planned.store.manifest.iloc[clips])


def predict_linear(
    folder: RunFolder, record: RunRecord, store: FeatureStore, samples: Samples
) -> NDArray[np.float64]:
    """Probabilities (samples, classes), or values (samples, dimensions), by a run's linear model.

    Raises :class:`RunError` if it has none.
    """
    fitted, values = load_classifier(folder), vectors_of_samples(store, samples, record)
    return fitted.scores(values) if record.dimensions else fitted.predict(values)


def vectors_of_samples(
    store: FeatureStore,
    samples: Samples,
    record: RunRecord,
    loaded: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Input (samples, values) float32 of a run's linear model.

    ``loaded`` is called with numbers of samples.
    """
    vectors = vectors_of(record.recipe, store.spec, record.features)
    found = read_vectors(
        store,
        samples,
        record.features,
        vectors,
        torch.device("cpu"),
        loaded,
        within=record.recipe.input.within,
    )
    values: NDArray[np.float32] = found.numpy()
    return values
