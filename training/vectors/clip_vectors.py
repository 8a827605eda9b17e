"""Clips as vectors: functionals of their frames, or pooled hidden states of encoders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from schemas.architecture import LinearSpec, Statistic
from schemas.encoders import EncoderSpec
from schemas.recipe import Recipe
from schemas.spec import StoreSpec
from training.vectors.descriptors import descriptor_count, descriptors
from training.vectors.statistics import STATISTIC_NAMES, statistics


class ClipVectors(nn.Module):
    """Turns stored features of clips into one vector each; has no parameters.

    ``width`` : values of a vector. ``layers`` : encoder → layers to read. Called with features (B, C, T) as
    stored, of these layers, and valid frames (B,) int64, it gives (B, ``width``) float32.
    """

    width: int
    layers: Mapping[str, tuple[int, ...]]


class Functionals(ClipVectors):
    """Statistics of frame descriptors: the S statistics ``names`` of the first of D, then those of the next.

    ``rows`` : number of coefficients of each feature, in the order in which they are stacked.
    """

    def __init__(self, rows: Mapping[str, int], names: Sequence[Statistic] = STATISTIC_NAMES) -> None:
        super().__init__()
        self.columns, self.names, self.layers = columns_of(rows), tuple(names), {}
        self.width = descriptor_count(rows) * len(self.names)

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, C, T) → (B, D · S) float32."""
        return statistics(descriptors(features, self.columns), valid_frames, self.names).flatten(1)


class Embeddings(ClipVectors):
    """The wanted statistics of pooled encoder features, and vectors as they are stored, side by side.

    ``layers`` : encoder → layers that are read. ``rows`` : coefficients of the wanted statistics among them.
    """

    rows: Tensor

    def __init__(self, layers: Mapping[str, tuple[int, ...]], rows: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows, persistent=False)
        self.width, self.layers = len(rows), dict(layers)

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, C, 1) → (B, ``width``) float32."""
        del valid_frames
        return features[:, self.rows, 0].float()


def clip_vectors(recipe: Recipe, spec: StoreSpec, features: Sequence[str]) -> ClipVectors | None:
    """How the model of ``recipe`` sees clips of a store with ``spec``; None: as frames.

    ``features`` are stacked in this order.
    """
    linear = isinstance(recipe.model, LinearSpec)
    return (
        None if recipe.input.representation == "frames" and not linear else vectors_of(recipe, spec, features)
    )


def vectors_of(recipe: Recipe, spec: StoreSpec, features: Sequence[str]) -> ClipVectors:
    """As :func:`clip_vectors`, for a model that sees vectors, as all linear ones do."""
    vectors = {feature.name for feature in spec.imported if feature.frames == 1}
    vectors |= {feature.name for feature in spec.opensmile}
    if recipe.input.representation == "embedding" or {*features} <= vectors:  # nothing to take statistics of
        return _embeddings(recipe, spec, features)
    rows = {name: spec.coefficients[name] for name in features}
    return (
        Functionals(rows, recipe.model.statistics)
        if isinstance(recipe.model, LinearSpec)
        else Functionals(rows)
    )


def columns_of(rows: Mapping[str, int]) -> dict[str, slice]:
    """Slice of each feature if features with these numbers of rows are stacked."""
    columns, start = {}, 0
    for name, height in rows.items():
        columns[name] = slice(start, start + height)
        start += height
    return columns


def _embeddings(recipe: Recipe, spec: StoreSpec, features: Sequence[str]) -> Embeddings:
    """Layers and statistics that the recipe wants of ``features``."""
    wanted = {feature.name: feature for feature in recipe.features}
    stored = {feature.name: feature for feature in spec.encoders}
    vectors = {name: spec.coefficients[name] for name in features if name not in stored}
    layers: dict[str, tuple[int, ...]] = {}
    rows, first = [], 0
    for name in features:
        if name in vectors:
            rows.append(first + torch.arange(vectors[name]))
            first += vectors[name]
            continue
        held, want = stored[name], cast("EncoderSpec", wanted[name])
        layers[name] = want.layers or held.all_layers
        shape = len(layers[name]), len(held.statistics), held.known_architecture.width
        parts = torch.arange(math.prod(shape)).view(shape)
        kinds = [held.statistics.index(kind) for kind in want.statistics]
        rows.append(first + parts[:, kinds].flatten())
        first += math.prod(shape)
    return Embeddings(layers, torch.cat(rows))
