"""Training of the tabular baseline: from a plan and a run folder to predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from featurestore.durable import storage_errors
from featurestore.store import FeatureStore
from schemas.architecture import FunctionalsSpec
from training.baseline.functionals import FunctionalTable, read_functionals
from training.baseline.svm import Baseline, fit_baseline, load_baseline
from training.network import Trained
from training.observer import Observer
from training.plan import Plan
from training.run import RunFolder, RunRecord
from training.samples import Samples, Side


def train_baseline(planned: Plan, folder: RunFolder, spec: FunctionalsSpec, observer: Observer) -> Trained:
    """Fit the machine on the training side and predict the others; it takes seconds and is not resumed.

    Raises :class:`RunError` where all training samples are of one class.
    """
    record = planned.record
    observer.loading_started(sum(map(len, planned.samples.values())))
    tables: dict[Side, FunctionalTable] = {
        side: read_functionals(planned.store, samples, record.features, spec.functionals, observer.loaded)
        for side, samples in planned.samples.items()
    }
    machine = fit_baseline(spec, tables["train"], len(record.classes), record.recipe.train.class_weights)
    with storage_errors(folder.path, retry=f"run {planned.resume_command(folder.path)}"):
        machine.save(folder.baseline)
    sides: tuple[Side, ...] = ("validation", "test")
    return Trained(
        history=(),
        best_epoch=None,
        parameters=machine.coef.size + machine.intercept.size,
        probabilities={side: machine.predict(tables[side].values) for side in sides},
    )


def predict_baseline(
    folder: RunFolder, spec: FunctionalsSpec, record: RunRecord, store: FeatureStore, samples: Samples
) -> NDArray[np.float64]:
    """Probabilities (samples, classes) by a run's machine. Raises :class:`RunError` where it has none."""
    machine: Baseline = load_baseline(folder.baseline)
    return machine.predict(read_functionals(store, samples, record.features, spec.functionals).values)
