"""How the layers of encoders and imported features are arranged in the input of a recipe's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from schemas.encoders import EncoderSpec
from schemas.features import FeatureSpec
from schemas.imported import ImportedSpec
from schemas.recipe import Recipe
from schemas.spec import StoreSpec
from training.models.state_layout import StateLayout


def states_of(recipe: Recipe, spec: StoreSpec, features: Sequence[str]) -> tuple[StateLayout, ...]:
    """Layout of each of ``features``, as they are stacked; empty if any is computed without an encoder.

    ``spec`` is that of the store. Of pooled features the model gets the layers and statistics that the recipe
    wants, of frames and imported features all that are stored.
    """
    stored: dict[str, EncoderSpec | ImportedSpec] = {encoder.name: encoder for encoder in spec.encoders}
    stored |= {feature.name: feature for feature in spec.imported}
    if recipe.input.representation == "functionals" or not {*features} <= stored.keys():
        return ()
    wanted = {feature.name: feature for feature in recipe.features}
    return tuple(_layout(stored[name], wanted[name]) for name in features)


def _layout(held: EncoderSpec | ImportedSpec, wanted: FeatureSpec) -> StateLayout:
    if isinstance(held, ImportedSpec):
        return StateLayout(held.name, tuple(range(held.layers)), 1, held.width)
    want = cast("EncoderSpec", wanted)
    return StateLayout(
        feature=held.name,
        layers=want.layers or held.all_layers,
        statistics=max(1, len(want.statistics)),
        width=held.known_architecture.width,
    )
