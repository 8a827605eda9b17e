"""How the hidden states of encoders are arranged in the input of a recipe's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from schemas.encoders import EncoderSpec
from schemas.recipe import Recipe
from schemas.spec import StoreSpec
from training.models.state_layout import StateLayout


def states_of(recipe: Recipe, spec: StoreSpec, features: Sequence[str]) -> tuple[StateLayout, ...]:
    """Layout of each of ``features``, as they are stacked; empty if any is not a feature of an encoder.

    ``spec`` is that of the store. Of pooled features the model gets the layers and statistics that the recipe
    wants, of frames all that are stored.
    """
    stored = {encoder.name: encoder for encoder in spec.encoders}
    if recipe.input.representation == "functionals" or not {*features} <= stored.keys():
        return ()
    wanted = {feature.name: cast("EncoderSpec", feature) for feature in recipe.features}
    return tuple(_layout(stored[name], wanted[name]) for name in features)


def _layout(held: EncoderSpec, want: EncoderSpec) -> StateLayout:
    return StateLayout(
        feature=held.name,
        layers=want.layers or held.all_layers,
        statistics=max(1, len(want.statistics)),
        width=held.known_architecture.width,
    )
