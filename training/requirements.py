"""What a recipe needs of a store, and whether the store holds it."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.store import FeatureStore
from schemas.errors import RunError
from schemas.recipe import Recipe
from schemas.spec import Model


@dataclass(frozen=True)
class Selection:
    """What of a store a recipe trains on: features in the store's order, view indices ascending."""

    features: tuple[str, ...]
    views: tuple[int, ...]


def selection_of(store: FeatureStore, recipe: Recipe) -> Selection:
    """The recipe's features, and the views that it names or else all of the store's.

    Raises :class:`RunError` where the store was built from other audio, framing, features or views
    than the recipe fixes, or lacks views; the message holds the command that builds the right store.
    """
    spec = store.spec
    _require_equal(store, recipe, "audio", spec.audio, recipe.audio)
    _require_equal(store, recipe, "framing", spec.spectral, recipe.spectral)
    stored = {feature.kind: feature for feature in spec.features}
    for feature in recipe.features:
        if feature.kind not in stored:
            held = ", ".join(stored)
            raise _unfit(store, recipe, f"the recipe needs the feature {feature.kind}, and it holds {held}")
        _require_equal(store, recipe, feature.kind, stored[feature.kind], feature)
    count = len(spec.view_names)
    views = tuple(range(count)) if recipe.train.views is None else recipe.train.views
    if not views or len(set(views)) < len(views) or min(views) < 0:
        raise RunError(f"views {_listed(views)}: give view indices from 0 on, each once")
    if max(views) >= count:
        raise _unfit(store, recipe, f"training needs views {_listed(views)} and it holds 0 to {count - 1}")
    for view in views:
        if 0 < view <= len(recipe.views):
            _require_equal(store, recipe, f"view {view}", spec.views[view - 1], recipe.views[view - 1])
    wanted = {feature.kind for feature in recipe.features}
    return Selection(tuple(kind for kind in stored if kind in wanted), tuple(sorted(views)))


def build_command(recipe: Recipe) -> str:
    """Command that builds a store for ``recipe``, with the views that its training reads."""
    augment = len(recipe.views) if recipe.train.views is None else max((0, *recipe.train.views))
    views = min(augment, len(recipe.views))
    return f"ser-features build --recipe {recipe.name} --augment {views} --out {recipe.name}.zarr"


def _require_equal(store: FeatureStore, recipe: Recipe, what: str, held: Model, needed: Model) -> None:
    """Raise unless two specifications are equal, naming the fields that are not."""
    have, need = held.model_dump(), needed.model_dump()
    differing = [name for name in sorted({*have, *need}) if have.get(name) != need.get(name)]
    if differing:
        fields = " and ".join(f"{name} {have.get(name)} (recipe: {need.get(name)})" for name in differing)
        raise _unfit(store, recipe, f"its {what} has {fields}")


def _unfit(store: FeatureStore, recipe: Recipe, why: str) -> RunError:
    return RunError(
        f"store {store.path} does not fit recipe '{recipe.name}': {why}; build one that does: "
        f"{build_command(recipe)}"
    )


def _listed(views: tuple[int, ...]) -> str:
    return ", ".join(map(str, views)) or "(none)"
