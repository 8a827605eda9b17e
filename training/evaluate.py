"""Trained models tested on a store: their own test side again, or another store's clips.

::

    same store     the test side of the run
    another store  every clip with a class, but those of speakers, and those recordings, that were trained on

Of several runs the mean of their probabilities is tested: on the test side that all of them have, or on what
none of them has heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.errors import RunError, UsageError
from schemas.labels import label_set
from training.metrics.predictions import Predictions
from training.metrics.scores import evaluate_predictions
from training.plan.requirements import require_features
from training.predict.trained import TrainedModel
from training.report.tested import Tested, corpora_heard
from training.runs.request import Hardware
from training.runs.run import RunRecord, require_once
from training.runs.same_store import same_store
from training.samples.held_out import own_test_clips, unheard_clips
from training.samples.samples import Samples
from training.samples.targets import NO_CLASS, Targets, targets_of
from training.splits.claim import Claim
from training.splits.split import Split


@dataclass(frozen=True)
class EvaluationRequest:
    """Which models are tested on what; of several, the mean of their probabilities.

    ``datasets`` None: the run's test side in its own store, all corpora of another one; ``where`` None: as
    the run has it.
    """

    runs: tuple[Path, ...]
    store: str | Path | None = None
    """None: the first run's own, where it was given as a relative path."""
    datasets: tuple[str, ...] | None = None
    where: str | None = None
    hardware: Hardware = field(default_factory=Hardware)


def evaluate_runs(request: EvaluationRequest) -> Tested:
    """Test the model of a run, or the mean of those of several, on a store.

    Raises
    ------
    UsageError
        If a run is given twice, or corpora are named that the store lacks.
    RunError
        If the store holds other features than a model learnt from, or no clip to test on; if the runs have
        other labels, or on their own store other test clips, than the first.
    SplitError
        If clips of a run's split were changed in its own store.
    """
    require_once(request.runs)
    models = [TrainedModel.open(path) for path in request.runs]
    records = tuple(model.record for model in models)
    _require_same_labels(request.runs, records)
    splits = [Split.from_json(model.folder.read_json("split.json")) for model in models]
    first, split = records[0], splits[0]
    store = _store(request, first)
    _require_datasets(request, store)
    for path, record in zip(request.runs, records, strict=True):
        require_features(store, record.store_spec, record.features, path)
    own = request.datasets is None and all(store.digest == record.store_digest for record in records)
    held_out = own_test_clips(request.runs, splits, store) if own else unheard_clips(splits, records, store)
    chosen = [_classed(request, record, store, own=own) for record in (records if own else records[:1])]
    for path, other in zip(request.runs, chosen, strict=False):
        if not np.array_equal(other.classes[held_out.clips], chosen[0].classes[held_out.clips]):
            raise RunError(
                f"{path} chooses other clips of its test side than {request.runs[0]}; say which by --where"
            )
    classes, notices = chosen[0].classes[held_out.clips], (*chosen[0].notices, *held_out.notices)
    kept = classes != NO_CLASS
    samples = Samples(held_out.clips[kept], held_out.views[kept], classes[kept])
    if not len(samples):
        raise RunError(f"store {store.place} has no clip to test on: {'; '.join(notices)}")
    device = choose_device(request.hardware.device or "auto")
    probabilities = sum(model.probabilities(store, samples, device, request.hardware) for model in models)
    predictions = predictions_of(store, samples, first.classes, np.asarray(probabilities) / len(models))
    corpora = sorted(store.manifest["dataset"].iloc[samples.clips].unique())
    claim = split.claim if own else _claim_on_other_clips(records, corpora)
    return Tested(
        records=records,
        claim=claim.with_inputs([record.recipe.input for record in records]),
        evaluation=evaluate_predictions(
            predictions, label_set(first.recipe.labels.set), first.recipe.labels.target
        ),
        predictions=predictions,
        notices=notices,
    )


def _classed(request: EvaluationRequest, record: RunRecord, store: FeatureStore, *, own: bool) -> Targets:
    """Class of each clip that a run would be tested on."""
    recipe = record.recipe
    return targets_of(
        store.manifest,
        label_set(recipe.labels.set),
        recipe.labels.target,
        recipe.where if request.where is None else request.where or None,
        request.datasets or (recipe.datasets if own else None),
    )


def _require_same_labels(runs: Sequence[Path], records: Sequence[RunRecord]) -> None:
    for path, record in zip(runs[1:], records[1:], strict=True):
        labels, wanted = record.recipe.labels, records[0].recipe.labels
        if (record.classes, labels) != (records[0].classes, wanted):
            raise RunError(
                f"{path} tells {labels.target} of {labels.set}, and {runs[0]} {wanted.target} of "
                f"{wanted.set}; give runs of the same labels"
            )


def _require_datasets(request: EvaluationRequest, store: FeatureStore) -> None:
    """Raise :class:`UsageError` where corpora are asked for by name that the store lacks."""
    held = sorted(store.document.datasets)
    absent = [name for name in request.datasets or () if name not in held]
    if absent:
        raise UsageError(
            f"the store has no corpus {' or '.join(absent)}; it has {', '.join(held)}: choose of them with "
            "--datasets"
        )


def _store(request: EvaluationRequest, record: RunRecord) -> FeatureStore:
    if request.store is None:
        return same_store(request.runs[0], None, record.store, record.store_digest)
    return FeatureStore.open(request.store)


def _claim_on_other_clips(records: Sequence[RunRecord], tested: Sequence[str]) -> Claim:
    trained = corpora_heard(records)
    return Claim(
        independence="speaker-independent",
        protocol=None,
        trained_on=tuple(trained),
        tested_on=tuple(tested),
        crosses_corpora=not {*trained} & {*tested},
    )


def predictions_of(
    store: FeatureStore, samples: Samples, classes: Sequence[str], probabilities: NDArray[np.float64]
) -> Predictions:
    """What a model says of ``samples``: ``probabilities`` (samples, classes)."""
    clips = store.manifest.iloc[samples.clips]
    return Predictions.of(classes, clips, samples.views, samples.targets, probabilities)
