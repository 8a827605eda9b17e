"""A run's model, of any family, as a function from stored features to probabilities or values.

::

    features (B, C, T), valid frames (B,) ─┬▶ normalise ▶ network              ─┬▶ (B, classes or dimensions)
                                           ├▶ vectors ▶ normalise ▶ perceptron  ─┤
                                           └▶ vectors ▶ linear classifier       ─┘
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.float32_products import float32_products
from schemas.architecture import LinearSpec
from schemas.errors import RunError
from schemas.spec import StoreSpec
from training.linear.load import load_classifier
from training.runs.run import RunFolder, RunRecord
from training.vectors.clip_vectors import clip_vectors

Scorer = Callable[[Tensor, Tensor], NDArray[np.float64]]
"""Features (B, C, T) as stored, stacked in the run's order, and valid frames (B,) int64 → probabilities
(B, classes) that sum to 1, or values (B, dimensions) of a regression."""


def scorer_of(folder: RunFolder, device: torch.device, spec: StoreSpec | None = None) -> Scorer:
    """Model of a run's best epoch, on ``device``.

    ``spec`` : of the features that it will score; None: of the store that it was trained on.

    Raises :class:`RunError` if the run has no finished model, or if it was normalised by speaker and
    therefore cannot predict single clips.
    """
    record = folder.record()
    require_independent_clips(folder, record)
    vectors = clip_vectors(record.recipe, spec or record.store_spec, record.features)
    if vectors is not None and isinstance(record.recipe.model, LinearSpec):
        classifier = load_classifier(folder)

        @torch.inference_mode()
        def linear(features: Tensor, valid: Tensor) -> NDArray[np.float64]:
            found = vectors(features, valid).numpy()
            return classifier.scores(found) if record.dimensions else classifier.predict(found)

        return linear
    from training.loop.outputs import results_of
    from training.predict.trained import TrainedModel  # needs the libraries of stores, which take a second

    network, normaliser = TrainedModel(folder, record).network(device)
    on_device = None if vectors is None else vectors.to(device)

    @torch.inference_mode()
    def score(features: Tensor, valid: Tensor) -> NDArray[np.float64]:
        x, frames = features.to(device), valid.to(device)
        if on_device is not None:
            x = on_device(x, frames)[:, :, None]
            frames = torch.ones_like(frames)
        with float32_products(tf32=record.recipe.train.tf32):
            outputs = network(normaliser(x[:, None], frames), frames)
        return results_of(record, outputs)

    return score


def require_independent_clips(folder: RunFolder, record: RunRecord) -> None:
    """Raise :class:`RunError` if a model needs other clips of its speaker or corpus to predict it."""
    within = record.recipe.input.within
    if within is not None:
        raise RunError(
            f"{folder.path} was normalised by {within} and cannot predict single clips; give a run with "
            "input.normalise=standard"
        )
