"""Permutation importance of the parts of a model's input, measured on test clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.errors import UsageError
from schemas.labels import Target
from training.explain.parts import parts_of
from training.explain.permuted import open_input
from training.metrics.importance import PermutationCounts
from training.predict.trained import TrainedModel
from training.runs.request import Hardware
from training.runs.run import RunRecord
from training.samples.samples import Samples
from training.samples.targets import emotion_marginal

REPEATS = 5
"""Permutations of each part; the same ones for all parts."""

_SEED = 0x9E73


def count_permuted(
    models: Sequence[TrainedModel],
    shares: Sequence[float],
    store: FeatureStore,
    samples: Samples,
    device: torch.device,
    hardware: Hardware,
    repeats: int = REPEATS,
) -> PermutationCounts:
    """Test the mean of ``models``, weighted by ``shares``, on ``samples`` with each part permuted.

    Clips exchange a part with clips of the same corpus, so that differences between corpora do not count as
    importance. A part that only some models read is permuted for these. The permutations depend only on the
    clips. This takes 1 + parts × ``repeats`` tests, but arrays in memory are read only once. Raises
    :class:`UsageError` for regressions, and what :meth:`TrainedModel.results` raises.
    """
    for model in models:
        require_classes(model)
    records = [model.record for model in models]
    parts = [parts_of(record, store.spec) for record in records]
    inputs = [open_input(model, store, samples, device, hardware) for model in models]
    names = list(dict.fromkeys(name for each in parts for name in each))
    weights = np.asarray(shares, dtype=np.float64) / sum(shares)
    unchanged = [each.results() for each in inputs]
    corpora = store.manifest["dataset"].iloc[samples.clips].to_numpy()
    permuted: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
    for repeat in range(repeats):
        donors = permute_within(corpora, repeat)
        for each in inputs:
            each.permute(donors)
        for name in names:
            results = [
                each.results_with(rows[name]) if name in rows else known
                for each, rows, known in zip(inputs, parts, unchanged, strict=True)
            ]
            permuted[name].append(_emotions(records[0], _mean(results, weights)))
    labels = records[0].recipe.labels
    emotions = len(labels.label_set().classes)
    return PermutationCounts.of(
        speakers=store.manifest["speaker"].iloc[samples.clips].astype(str).tolist(),
        true=samples.classes % emotions if labels.target is not Target.EMOTION else samples.classes,
        unchanged=_emotions(records[0], _mean(unchanged, weights)),
        permuted=permuted,
        classes=emotions,
    )


def permute_within(groups: NDArray[np.object_], repeat: int) -> NDArray[np.int64]:
    """Donor of each clip, (clips,): a random permutation within each group of equal names."""
    generator = np.random.Generator(np.random.PCG64([_SEED, repeat]))
    donors = np.arange(len(groups))
    for name in np.unique(groups.astype(str)):
        own = np.flatnonzero(groups.astype(str) == name)
        donors[own] = generator.permutation(own)
    return donors


def require_classes(model: TrainedModel) -> None:
    """Raise :class:`UsageError` for a regression, which has no UA."""
    if model.record.dimensions:
        raise UsageError(
            f"{model.folder.path} predicts values (labels.target regression), but --explain measures UA; "
            "leave out --explain"
        )


def _mean(results: Sequence[NDArray[np.float64]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sum(weight * each for weight, each in zip(weights, results, strict=True)))


def _emotions(record: RunRecord, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Most probable emotion of each clip, after summing over genders, as metrics have it."""
    labels = record.recipe.labels
    emotions = emotion_marginal(probabilities, labels.label_set(), labels.target)
    return np.asarray(emotions.argmax(axis=1), dtype=np.int64)
