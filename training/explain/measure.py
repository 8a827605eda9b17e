"""Everything that is measured of what trained models listen to on test clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from featurestore.store import FeatureStore
from training.explain.attention import attend, has_attention
from training.explain.importance import count_permuted
from training.predict.trained import TrainedModel
from training.report.explanation import Explanation
from training.runs.request import Hardware
from training.samples.samples import Samples


def explain(
    models: Sequence[TrainedModel],
    shares: Sequence[float],
    store: FeatureStore,
    samples: Samples,
    device: torch.device,
    hardware: Hardware,
) -> Explanation:
    """Importance of each part of the input and, of a single model with attention pooling, its weights.

    Raises as :func:`training.explain.importance.count_permuted` does.
    """
    counts = count_permuted(models, shares, store, samples, device, hardware)
    if len(models) > 1 or not has_attention(models[0].record):
        return Explanation(counts)
    (model,) = models
    probabilities = model.results(store, samples, device, hardware)
    return Explanation(counts, attend(model, store, samples, probabilities, device, hardware))
