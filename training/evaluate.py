"""Test trained models on a store: on their own test side again, or on the clips of another store.

::

    same store     the test side of the run
    another store  every clip with a class, except those of speakers and recordings that were trained on

For several runs, the mean of their probabilities is tested: on the test side that they share, or on clips
that none of them has heard. Its weights are equal, or from the validation clips of the runs, never from the
test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.errors import RunError
from training.audits.sentences import SharedSentences, shared_sentences
from training.metrics.ensemble_weights import EnsembleWeights, Weighting, weigh_by_validation
from training.metrics.predictions import Predictions
from training.metrics.side import AnyEvaluation, AnyPredictions, evaluate_side
from training.metrics.value_predictions import ValuePredictions
from training.plan.requirements import require_features
from training.predict.trained import TrainedModel
from training.report.series_summary import require_single
from training.report.tested import Tested, corpora_heard
from training.runs.request import Hardware
from training.runs.run import RunRecord, require_once
from training.runs.same_labels import require_same_labels
from training.runs.same_store import open_same_store
from training.samples.datasets import require_datasets
from training.samples.dimensions import dimension_targets
from training.samples.held_out import own_test_clips, unheard_clips
from training.samples.samples import AnyTargets, Samples
from training.samples.targets import targets_of
from training.samples.without_values import imported_values
from training.splits.claim import Claim
from training.splits.split import Split


@dataclass(frozen=True)
class EvaluationRequest:
    """Which models to test on what; for several, the mean of their probabilities.

    ``datasets`` None: the run's test side on its own store, all corpora of another store; ``where`` None: the
    run's own query.
    """

    runs: tuple[Path, ...]
    store: str | Path | None = None
    """None: the first run's own, if it was given as a relative path."""
    datasets: tuple[str, ...] | None = None
    where: str | None = None
    weighting: Weighting = "equal"
    """Of several models; one model has no weight."""
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True, eq=False)
class Trial:
    """Trained models and the clips that they are tested on, before any array is read."""

    runs: tuple[Path, ...]
    models: tuple[TrainedModel, ...]
    store: FeatureStore
    samples: Samples
    """Test clips in the original view; the views of the test side if these were drawn."""
    claim: Claim
    sentences: tuple[SharedSentences, ...]
    notices: tuple[str, ...]
    draws_views: bool
    """Whether the split puts views of one clip on several sides."""
    weights: EnsembleWeights | None
    hardware: Hardware

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """Records of the runs; all have the same labels."""
        return tuple(model.record for model in self.models)

    def predict(self, samples: Samples) -> AnyPredictions:
        """Predictions of the model, or of the mean of several, for ``samples`` of the store."""
        device = choose_device(self.hardware.device or "auto")
        shares = [1.0] * len(self.models) if self.weights is None else self.weights.shares
        total = sum(
            share * model.results(self.store, samples, device, self.hardware)
            for share, model in zip(shares, self.models, strict=True)
        )
        return predictions_of(self.store, samples, self.records[0].outputs, np.asarray(total) / sum(shares))

    def evaluate(self, predictions: AnyPredictions) -> AnyEvaluation:
        """Metrics of predictions."""
        return evaluate_side(predictions, self.records[0].recipe.labels)


def evaluate_runs(request: EvaluationRequest) -> Tested:
    """Test the model of a run, or the mean of several models, on a store. Raises as :func:`prepare` does."""
    trial = prepare(request)
    predictions = trial.predict(trial.samples)
    return Tested(
        records=trial.records,
        claim=trial.claim,
        evaluation=trial.evaluate(predictions),
        predictions=predictions,
        notices=trial.notices,
        sentences=trial.sentences,
        members=tuple(path.name for path in trial.runs),
        weights=trial.weights,
    )


def prepare(request: EvaluationRequest) -> Trial:
    """Open the models and the store, and choose the clips to test on.

    Raises
    ------
    UsageError
        If a run is given twice, or the store lacks a named corpus.
    RunError
        If several regressions are given, if the store's features differ from those that a model was trained
        on, if it has no clips to test on, if the runs differ in their labels or, on their own store, in their
        test clips, if clips of a run's split have changed in its own store, or if there is nothing to weigh
        the runs by.
    """
    require_once(request.runs)
    models = tuple(TrainedModel.open(path) for path in request.runs)
    records = tuple(model.record for model in models)
    require_single(request.runs, records[0].recipe.labels)
    require_same_labels(request.runs, records)
    splits = [Split.from_json(model.folder.read_json("split.json")) for model in models]
    first, split = records[0], splits[0]
    store = _open_store(request, first)
    require_datasets(store.document.datasets, request.datasets or ())
    for path, record in zip(request.runs, records, strict=True):
        require_features(store, record.store_spec, record.features, path)
    own = request.datasets is None and all(store.digest == record.store_digest for record in records)
    held_out = own_test_clips(request.runs, splits, store) if own else unheard_clips(splits, records, store)
    chosen = [_targets(request, record, store, own=own) for record in (records if own else records[:1])]
    for path, other in zip(request.runs, chosen, strict=False):
        one, two = other.of_clips[held_out.clips], chosen[0].of_clips[held_out.clips]
        if not np.array_equal(one, two, equal_nan=True):
            raise RunError(
                f"{path} and {request.runs[0]} select different clips of the test side; choose with --where"
            )
    notices = (*chosen[0].notices, *held_out.notices)
    kept = chosen[0].kept[held_out.clips]
    clips = held_out.clips[kept]
    samples = Samples(clips, held_out.views[kept], chosen[0].of_clips[clips])
    if not len(samples):
        raise RunError(f"store {store.place} has no clips to test on ({'; '.join(notices)})")
    tested = store.manifest.iloc[samples.clips]
    claim = split.claim if own else _claim_on_other_clips(records, sorted(tested["dataset"].unique()))
    trained = {clip for each in splits for clip in each.train}
    return Trial(
        runs=request.runs,
        models=models,
        store=store,
        samples=samples,
        claim=claim.with_inputs([record.recipe.input for record in records]).with_search(
            [record.configurations for record in records]
        ),
        sentences=shared_sentences(store.manifest, trained, set(tested["clip_id"])),
        notices=notices,
        draws_views=own and split.views is not None,
        weights=weigh_by_validation(request.runs) if request.weighting == "validation" else None,
        hardware=request.hardware,
    )


def _targets(request: EvaluationRequest, record: RunRecord, store: FeatureStore, *, own: bool) -> AnyTargets:
    """The class or values of each clip that a run would be tested on."""
    recipe = record.recipe
    where = recipe.where if request.where is None else request.where or None
    datasets = request.datasets or (recipe.datasets if own else None)
    imported = imported_values(store, record.features)
    if record.dimensions:
        return dimension_targets(store.manifest, record.outputs, where, datasets, imported)
    labels = recipe.labels
    return targets_of(store.manifest, labels.label_set(), labels.target, where, datasets, imported)


def _open_store(request: EvaluationRequest, record: RunRecord) -> FeatureStore:
    if request.store is None:
        return open_same_store(request.runs[0], None, record.store, record.store_digest)
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
    store: FeatureStore, samples: Samples, outputs: Sequence[str], results: NDArray[np.float64]
) -> AnyPredictions:
    """Predictions for ``samples`` from probabilities (samples, classes) or values (samples, dimensions).

    ``outputs`` are the names of the classes or dimensions.
    """
    clips = store.manifest.iloc[samples.clips]
    if samples.targets.ndim == 1:
        return Predictions.of(outputs, clips, samples.views, samples.classes, results)
    return ValuePredictions.of(outputs, clips, samples.views, samples.values, results)
