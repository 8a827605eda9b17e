"""The imported features that a recipe or a trained run needs: which they are, and that a store has them."""

from __future__ import annotations

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.features import FeatureSpec
from schemas.imported import ImportedSpec
from schemas.opensmile import OpenSmileSpec
from schemas.overrides import override
from schemas.recipe import Recipe
from schemas.recipe_toml import toml_value
from schemas.spec import StoreSpec


def imported_names(spec: StoreSpec, recipe: Recipe) -> tuple[str, ...]:
    """The imported features of a store that a recipe reads."""
    wanted = {feature.name for feature in recipe.features}
    return tuple(feature.name for feature in spec.imported if feature.name in wanted)


def as_computed(spec: StoreSpec, recipe: Recipe) -> Recipe:
    """The recipe with features of openSMILE in place of imported ones of which it says the name alone, if the
    store computed them: ``--features egemaps`` leaves it to the store, whose specification is ``spec``.

    Raises :class:`UsageError` if the model cannot read them.
    """
    computed: dict[str, OpenSmileSpec] = {
        feature.name: OpenSmileSpec(name=feature.name) for feature in spec.opensmile
    }
    meant: list[FeatureSpec] = [
        computed.get(feature.name, feature)
        if isinstance(feature, ImportedSpec) and feature == ImportedSpec(name=feature.name)
        else feature
        for feature in recipe.features
    ]
    if tuple(meant) == recipe.features:
        return recipe
    listed = [feature.model_dump(mode="json", exclude_none=True) for feature in meant]
    return override(recipe, [f"features={toml_value(listed)}"])


def require_imported(store: FeatureStore, recipe: Recipe) -> None:
    """Check the imported features of ``recipe``: the store must have them, and its model must fit them.

    Raises :class:`RunError` for a feature that the store lacks, computed, or imported otherwise than the
    recipe says; :class:`UsageError` for frames that the model cannot read.
    """
    held = {feature.name: feature for feature in store.spec.features}
    for feature in recipe.features:
        if isinstance(feature, ImportedSpec):
            _require_one(store, recipe, held.get(feature.name), feature)
    framed = [feature.name for feature in store.spec.imported if feature.frames > 1]
    named = [feature.name for feature in recipe.features if feature.name in framed]
    if named and len(recipe.features) > 1:
        raise UsageError(
            f"the frames of {named[0]}, which was imported, are not those of other features; train on "
            f"it alone"
        )


def _require_one(store: FeatureStore, recipe: Recipe, held: object | None, needed: ImportedSpec) -> None:
    if held is None:
        raise RunError(
            f"store {store.place} has no feature {needed.name}, only {', '.join(store.spec.coefficients)}; "
            f"add it with: ser-features import {store.place} {needed.name} FILE"
        )
    if not isinstance(held, ImportedSpec):
        raise RunError(
            f"the recipe reads {needed.name} as an imported feature, but a build computed it in store "
            f"{store.place}; in the recipe, give the kind that computes it"
        )
    for field, value in needed:
        if value is not None and value != dict(held)[field]:
            raise RunError(
                f"{needed.name} in store {store.place} has the {field} {dict(held)[field]}, but the recipe "
                f"asks for {value}; import the right file with --replace"
            )
    if recipe.input.representation == "embedding" and held.frames > 1:
        raise UsageError(
            f"input.representation embedding needs one vector per clip, but {held.name} has up to "
            f"{held.frames:,} frames; train with --set input.representation=functionals"
        )


def as_from_same_file(found: ImportedSpec, learnt: ImportedSpec) -> ImportedSpec:
    """What a store has imported, if its numbers are alike, as if from the file that a model learnt from.

    Another store has another file, whose clips have other numbers of frames.
    """
    if (found.layers, found.width) != (learnt.layers, learnt.width):
        return found
    return learnt.model_copy(update={"columns": found.columns})
