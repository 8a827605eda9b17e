"""A run's model as one graph, from stored features to probabilities or values, in operations of ONNX.

::

    features (B, C, T) float32 ─┬▶ normalise ▶ network                ─┐
    valid frames (B,) int64    ─┼▶ vectors ▶ normalise ▶ network      ─┼▶ softmax ▶ probabilities (B, classes)
                                └▶ vectors ▶ linear classifier        ─┘         ▶ emotions (B, emotions)

It predicts what :func:`training.predict.scorer.scorer_of` predicts. Normalisation is written differently from
the training code, which works in place and on the bits of numbers for speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.architecture import LinearSpec
from schemas.spec import StoreSpec
from training.linear.classifier import LinearClassifier
from training.linear.load import load_classifier
from training.loop.normalise import Normaliser
from training.predict.scorer import require_independent_clips
from training.predict.trained import TrainedModel
from training.runs.run import RunFolder, RunRecord
from training.vectors.clip_vectors import ClipVectors, Functionals, clip_vectors
from training.vectors.rounding import ROUNDING, SMALLEST_DEVIATION

_FOURIER_FRAMES = 128
"""Frames of the modulation spectrum. The exporter loses torch's padding, so short inputs are padded first."""


def graph_of(run: Path, spec: StoreSpec | None = None) -> Graph | ValueGraph:
    """The best epoch's model of the run at ``run``, in evaluation, on the CPU.

    ``spec`` : of the features that it will be given; None: of the store that it was trained on.

    Raises :class:`RunError` if the run has no finished model, or if the model needs other clips of a
    speaker.
    """
    folder = RunFolder.open(run)
    record = folder.record()
    require_independent_clips(folder, record)
    found = clip_vectors(record.recipe, spec or record.store_spec, record.features)
    vectors = OfPadded(found) if isinstance(found, Functionals) else found
    if vectors is not None and isinstance(record.recipe.model, LinearSpec):
        fitted = LinearScores(vectors, load_classifier(folder))
        if record.dimensions:  # its scores are values
            return ValueGraph(fitted, [0.0] * len(record.dimensions), [1.0] * len(record.dimensions)).eval()
        return _graph(fitted, record)
    network, normaliser = TrainedModel(folder, record).network(torch.device("cpu"))
    scores = NetworkScores(normaliser, network)
    return _graph(scores if vectors is None else OfVectors(vectors, scores), record)


def _graph(scores: nn.Module, record: RunRecord) -> Graph | ValueGraph:
    if record.dimensions:
        means = [scale.mean for scale in record.dimensions]
        return ValueGraph(scores, means, [scale.deviation for scale in record.dimensions]).eval()
    return Graph(scores, len(record.recipe.labels.label_set().classes)).eval()


class ValueGraph(nn.Module):
    """From stored features to the values of a regression."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, scores: nn.Module, means: Sequence[float], deviations: Sequence[float]) -> None:
        super().__init__()
        self.scores = scores
        self.register_buffer("mean", torch.tensor(means))
        self.register_buffer("deviation", torch.tensor(deviations))

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """Values (B, dimensions) float32, in the units of the labels; inputs as of :class:`Graph`."""
        valid = valid_frames.clamp(min=1, max=features.shape[2])
        values: Tensor = self.scores(features, valid) * self.deviation + self.mean
        return values


class Graph(nn.Module):
    """From stored features to probabilities."""

    def __init__(self, scores: nn.Module, emotions: int) -> None:
        super().__init__()
        self.scores = scores
        self.emotions = emotions

    def forward(self, features: Tensor, valid_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (B, classes), and summed over genders (B, emotions), float32; rows sum to 1.

        ``features`` (B, C, T) float32 as stored, ``valid_frames`` (B,) int64 of 1 to T; numbers outside
        are clamped.
        """
        valid = valid_frames.clamp(min=1, max=features.shape[2])
        probabilities = self.scores(features, valid).softmax(dim=1)
        by_gender = probabilities.unflatten(1, (-1, self.emotions))
        return probabilities, by_gender.sum(dim=1)


class NetworkScores(nn.Module):
    """Normalisation followed by a network."""

    offset: Tensor
    scale: Tensor

    def __init__(self, normaliser: Normaliser, network: nn.Module) -> None:
        super().__init__()
        self.mode, self.clip = normaliser.mode, normaliser.clip
        self.register_buffer("offset", normaliser.offset.clone())
        self.register_buffer("scale", normaliser.scale.clone())
        self.network = network

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, C, T) → logits (B, classes); see :class:`training.loop.normalise.Normaliser`."""
        keep = (torch.arange(features.shape[2]) < valid_frames[:, None])[:, None, :]
        x = torch.where(keep, features, 0.0)
        if self.mode == "sample":
            x = _normalise_each(x, valid_frames, keep)
        elif self.mode != "none":
            x = (x - self.offset) / self.scale
        if self.clip is not None:
            x = x.clamp(-self.clip, self.clip)
        logits: Tensor = self.network(torch.where(keep, x, 0.0)[:, None], valid_frames)
        return logits


def _normalise_each(x: Tensor, valid_frames: Tensor, keep: Tensor) -> Tensor:
    values = (valid_frames * x.shape[1]).float()[:, None, None]
    mean = x.sum(dim=(1, 2), keepdim=True) / values
    centred = torch.where(keep, x - mean, 0.0)
    deviation = (centred.square().sum(dim=(1, 2), keepdim=True) / values).sqrt()
    constant = deviation < SMALLEST_DEVIATION + ROUNDING * mean.abs()
    return centred / torch.where(constant, 1.0, deviation)


class OfVectors(nn.Module):
    """A network on vectors: one valid step per clip."""

    def __init__(self, vectors: nn.Module, scores: NetworkScores) -> None:
        super().__init__()
        self.vectors, self.scores = vectors, scores

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, C, T) → logits (B, classes)."""
        logits: Tensor = self.scores(
            self.vectors(features, valid_frames)[:, :, None], torch.ones_like(valid_frames)
        )
        return logits


class OfPadded(nn.Module):
    """Vectors of clips that are padded to the frames of the modulation spectrum."""

    def __init__(self, vectors: ClipVectors) -> None:
        super().__init__()
        self.vectors = vectors

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, C, T) → (B, D)."""
        short = _FOURIER_FRAMES - features.shape[2]
        if short > 0:
            features = F.pad(features, (0, short))
        found: Tensor = self.vectors(features, valid_frames)
        return found


class LinearScores(nn.Module):
    """A linear classifier on vectors, in float32: many runtimes lack float64, in which it was fitted."""

    mean: Tensor
    scale: Tensor
    coef: Tensor
    intercept: Tensor

    def __init__(self, vectors: nn.Module, classifier: LinearClassifier) -> None:
        super().__init__()
        self.vectors = vectors
        self.register_buffer("mean", torch.from_numpy(classifier.mean).float())
        self.register_buffer("scale", torch.from_numpy(classifier.scale).float())
        by_temperature = 1 / classifier.temperature
        self.register_buffer("coef", torch.from_numpy(classifier.coef * by_temperature).float())
        self.register_buffer("intercept", torch.from_numpy(classifier.intercept * by_temperature).float())

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, C, T) → scores (B, classes), divided by the temperature."""
        standard = (self.vectors(features, valid_frames) - self.mean) / self.scale
        scores: Tensor = standard @ self.coef.T + self.intercept
        return scores
