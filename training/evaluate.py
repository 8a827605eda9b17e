"""A trained model tested on a store: its own test side again, or another store's clips.

::

    same store     the run's test side
    another store  every clip with a class, but those of speakers, and those recordings, that were trained on
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.errors import RunError
from schemas.labels import label_set
from training.metrics import Evaluation, evaluate_predictions
from training.planning import same_store
from training.predictions import Predictions
from training.report import report
from training.request import Hardware
from training.requirements import require_features
from training.result import subject_of
from training.run import RunRecord
from training.samples import ORIGINAL_VIEW, Samples, cross
from training.splits.split import Split
from training.targets import NO_CLASS, targets_of
from training.trained import TrainedModel


@dataclass(frozen=True)
class EvaluationRequest:
    """Which model is tested on what.

    ``datasets`` None: the run's test side in its own store, all corpora of another one; ``where`` None: as
    the run has it.
    """

    run: Path
    store: str | Path | None = None
    """None: the run's own, where it was given as a relative path."""
    datasets: tuple[str, ...] | None = None
    where: str | None = None
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True, eq=False)
class Tested:
    """Result of a model on a store."""

    record: RunRecord
    title: str
    """Protocol, such as ``cross-corpus, speaker-independent (trained on ravdess, tested on tess)``."""
    evaluation: Evaluation
    predictions: Predictions
    notices: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Model and what it was trained on."""
        heard = sorted({speaker.partition("/")[0] for speaker in self.record.heard})
        return subject_of(self.record.recipe.model.name, heard)

    @property
    def report(self) -> str:
        """Text table for people."""
        return report(self.evaluation, self.record.recipe.labels.target, self.title, None)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "title": self.title,
            "recipe": self.record.recipe.name,
            "model": self.record.recipe.model.name,
            "trained_on": self.record.store_digest,
            "notices": list(self.notices),
            "test": self.evaluation.to_json(),
        }


def evaluate_run(request: EvaluationRequest) -> Tested:
    """Test the model of a run on a store.

    Raises
    ------
    RunError
        If the store holds other features than the model learnt from, or no clip to test on.
    SplitError
        If clips of the run's split were changed in its own store.
    """
    trained = TrainedModel.open(request.run)
    record = trained.record
    split = Split.from_json(trained.folder.read_json("split.json"))
    store = _store(request, record)
    require_features(store, record.store_spec, record.features, request.run)
    own = store.digest == record.store_digest and request.datasets is None
    held_out = _own_test(split, store) if own else _unheard(split, record, store)
    targets = targets_of(
        store.manifest,
        label_set(record.recipe.labels.set),
        record.recipe.labels.target,
        record.recipe.where if request.where is None else request.where or None,
        request.datasets or (record.recipe.datasets if own else None),
    )
    notices = (*targets.notices, *held_out.notices)
    clips = held_out.clips[targets.classes[held_out.clips] != NO_CLASS]
    if not len(clips):
        raise RunError(f"store {store.place} has no clip to test on: {'; '.join(notices)}")
    samples = cross(clips, targets.classes[clips], (ORIGINAL_VIEW,))
    device = choose_device(request.hardware.device or "auto")
    probabilities = trained.probabilities(store, samples, device, request.hardware)
    predictions = predictions_of(store, samples, record.classes, probabilities)
    corpora = sorted(store.manifest["dataset"].iloc[clips].unique())
    labels = record.recipe.labels
    return Tested(
        record=record,
        title=split.title if own else _title(record, corpora),
        evaluation=evaluate_predictions(predictions, label_set(labels.set), labels.target),
        predictions=predictions,
        notices=notices,
    )


def _store(request: EvaluationRequest, record: RunRecord) -> FeatureStore:
    if request.store is None:
        return same_store(request.run, None, record.store, record.store_digest)
    return FeatureStore.open(request.store)


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """Clips that a model may be tested on, (n,) positions, and what is to be said of the others."""

    clips: NDArray[np.int64]
    notices: tuple[str, ...] = ()


def _own_test(split: Split, store: FeatureStore) -> _HeldOut:
    split.require_unchanged(store.manifest)
    return _HeldOut(split.positions(store.manifest, "test"))


def _unheard(split: Split, record: RunRecord, store: FeatureStore) -> _HeldOut:
    """Clips of speakers and of recordings that are neither trained on nor validated."""
    manifest = store.manifest
    of_speaker = manifest["speaker"].isin(record.heard).to_numpy()
    recordings = {split.audio_sha256[clip] for clip in (*split.train, *split.validation)} - {""}
    known = manifest["audio_sha256"].isin(recordings).to_numpy() & ~of_speaker
    notices = [
        f"{count} of {len(manifest)} clips are {what} and are left out"
        for count, what in (
            (int(of_speaker.sum()), "of speakers that the model was trained or chosen on"),
            (int(known.sum()), "recordings that the model was trained or chosen on, under another name"),
        )
        if count
    ]
    return _HeldOut(np.flatnonzero(~(of_speaker | known)).astype(np.int64), tuple(notices))


def _title(record: RunRecord, tested: Sequence[str]) -> str:
    """``cross-corpus, speaker-independent (trained on ravdess, tested on tess)``."""
    trained = sorted({speaker.partition("/")[0] for speaker in record.heard})
    kind = "speaker-independent" if {*trained} & {*tested} else "cross-corpus, speaker-independent"
    return f"{kind} (trained on {' and '.join(trained)}, tested on {' and '.join(tested)})"


def predictions_of(
    store: FeatureStore, samples: Samples, classes: Sequence[str], probabilities: NDArray[np.float64]
) -> Predictions:
    """What a model says of ``samples``: ``probabilities`` (samples, classes)."""
    clips = store.manifest.iloc[samples.clips]
    return Predictions.of(classes, clips, samples.views, samples.targets, probabilities)
