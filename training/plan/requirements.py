"""Check that a store holds what a recipe or a trained run needs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from featurestore.store import FeatureStore
from schemas.encoders import EncoderSpec
from schemas.errors import RunError, UsageError
from schemas.features import FeatureSpec
from schemas.imported import ImportedSpec
from schemas.model import Model
from schemas.opensmile import OpenSmileSpec
from schemas.recipe import Recipe
from schemas.spec import StoreSpec
from training.plan.imported import as_from_same_file, imported_names, require_imported

MOST_LISTED = 32
"""Most values that a message lists."""


@dataclass(frozen=True)
class InputSelection:
    """Parts of a store that a recipe trains on: features in the store's order, view indices ascending."""

    features: tuple[str, ...]
    views: tuple[int, ...]


def selection_of(store: FeatureStore, recipe: Recipe, source: str) -> InputSelection:
    """Select the recipe's features, and the views that it names, or all views of the store.

    ``source`` is the recipe's name or file, as for ``--recipe``.

    Raises
    ------
    RunError
        If audio, framing, features or views of the store differ from the recipe, or if the store lacks views;
        the message contains the command that builds the right store.
    UsageError
        If views are requested that neither the store nor the recipe has, augmented views with an imported
        feature, or features with different numbers of frames.
    """
    spec = store.spec
    views = _views(store, recipe)
    if not all(isinstance(feature, ImportedSpec) for feature in recipe.features):
        _require_equal(store, recipe, source, "audio", spec.audio, recipe.audio)
        _require_equal(store, recipe, source, "framing", spec.spectral, recipe.spectral)
    stored = {feature.name: feature for feature in spec.features}
    require_imported(store, recipe)
    for feature in recipe.features:
        if feature.name not in stored:
            held = ", ".join(stored)
            raise _mismatch(
                store,
                recipe,
                source,
                f"the recipe needs the feature {feature.name}, but the store has {held}",
            )
        held_one = stored[feature.name]
        if isinstance(held_one, EncoderSpec) and isinstance(feature, EncoderSpec):
            _require_part(store, recipe, source, held_one, feature)
        elif not isinstance(feature, ImportedSpec) and not _leaves_out(feature, held_one):
            _require_equal(store, recipe, source, feature.name, held_one, feature)
    count = len(spec.view_names)
    if max(views) >= count:
        raise _mismatch(
            store,
            recipe,
            source,
            f"training needs views {_format_views(views)}, but the store has 0 to {count - 1}",
        )
    for view in views:
        if 0 < view <= len(recipe.views):
            _require_equal(
                store, recipe, source, f"view {view}", spec.views[view - 1], recipe.views[view - 1]
            )
    wanted = {feature.name for feature in recipe.features}
    features = tuple(name for name in stored if name in wanted)
    spec.common_frames(features)
    return InputSelection(features, tuple(sorted(views)))


def build_command(recipe: Recipe, source: str) -> str:
    """Command that builds a store for ``recipe``, given as ``source``, with the views that training reads."""
    augment = len(recipe.views) if recipe.train.views is None else max((0, *recipe.train.views))
    views = min(augment, len(recipe.views))
    datasets = f"--datasets {','.join(recipe.datasets)} " if recipe.datasets else ""
    return (
        f"ser-features build --recipe {shlex.quote(source)} {datasets}--augment {views} "
        f"--out {recipe.name}.zarr"
    )


def require_features(store: FeatureStore, learnt: StoreSpec, features: Sequence[str], run: Path) -> None:
    """Raise :class:`RunError` unless ``store`` holds ``features`` as the model of ``run`` was trained on."""
    held = {feature.name: feature for feature in store.spec.features}
    for feature in learnt.features:
        if feature.name not in features:
            continue
        if feature.name not in held:
            step = (
                f"import {store.place} {feature.name} FILE"
                if isinstance(feature, ImportedSpec)
                else f"build --features {','.join([*held, feature.name])} --out {store.place}"
            )
            raise RunError(
                f"store {store.place} lacks the feature {feature.name}, which {run} was trained on; add it "
                f"with: ser-features {step}"
            )
        found = held[feature.name]
        if isinstance(found, ImportedSpec) and isinstance(feature, ImportedSpec):
            found = as_from_same_file(found, feature)
        _require_same(store, run, feature.name, found, feature)
    if {*features} <= {feature.name for feature in learnt.imported}:  # whatever the store itself computes
        return
    _require_same(store, run, "audio", store.spec.audio, learnt.audio)
    _require_same(store, run, "framing", store.spec.spectral, learnt.spectral)


def _require_same(store: FeatureStore, run: Path, what: str, held: Model, learnt: Model) -> None:
    if fields := _differences(held, learnt, "run"):
        raise RunError(
            f"store {store.place} does not fit {run}: its {what} has {fields}; build a store with the "
            "run's recipe"
        )


def _views(store: FeatureStore, recipe: Recipe) -> tuple[int, ...]:
    """Views to read. Raises :class:`UsageError` for repeated views or views that nothing defines."""
    count, listed = len(store.spec.view_names), len(recipe.views)
    imported = imported_names(store.spec, recipe)
    every = (0,) if imported else tuple(range(count))
    views = every if recipe.train.views is None else recipe.train.views
    if not views or len(set(views)) < len(views) or min(views) < 0:
        raise UsageError(f"views {_format_views(views)}: give view indices from 0, without repeats")
    if max(views) > max(count - 1, listed):
        recipes = "only view 0" if listed == 0 else f"views 0 to {listed}"
        raise UsageError(
            f"there is no view {max(views)}: recipe '{recipe.name}' has {recipes}, and store {store.place} "
            f"has views 0 to {count - 1}; choose from these with --views"
        )
    if imported and views != (0,):
        raise UsageError(
            f"views {_format_views(views)}: {imported[0]} was imported, and exists for the original view "
            f"alone; train with --views 0"
        )
    return views


def _require_equal(
    store: FeatureStore, recipe: Recipe, source: str, what: str, held: Model, needed: Model
) -> None:
    """Raise unless two specifications are equal, naming the fields that differ."""
    if fields := _differences(held, needed, "recipe"):
        raise _mismatch(store, recipe, source, f"its {what} has {fields}")


def _require_part(
    store: FeatureStore, recipe: Recipe, source: str, held: EncoderSpec, needed: EncoderSpec
) -> None:
    """Raise unless a stored encoder feature holds the layers and statistics that a recipe needs."""
    left_out = {
        name: getattr(held, name) for name in ("architecture", "sha256") if name not in _given(needed)
    }
    part = {"layers": held.layers, "pooling": held.pooling}
    if needed.pooling == held.pooling == "frames":  # a network reads all rows of frames
        alike = needed.model_copy(update={**left_out, "layers": needed.layers or held.layers})
    elif set(needed.layers or ()) <= set(held.all_layers) and set(needed.statistics) <= set(held.statistics):
        alike = needed.model_copy(update={**left_out, **part})
    else:
        alike = needed.model_copy(update=left_out)
    _require_equal(store, recipe, source, held.name, held, alike)


def _given(feature: EncoderSpec) -> set[str]:
    return {name for name in ("architecture", "sha256") if feature.model_dump()[name] is not None}


def _leaves_out(feature: FeatureSpec, held: FeatureSpec) -> bool:
    """Whether the recipe leaves it to the store which version of openSMILE computed a feature."""
    return isinstance(feature, OpenSmileSpec) and isinstance(held, OpenSmileSpec) and not feature.is_complete


def _differences(held: Model, needed: Model, by: str) -> str:
    """Fields that differ, as ``n_fft 512 (recipe: 2048)``; empty if none differs."""
    have, need = held.model_dump(), needed.model_dump()
    names = [name for name in sorted({*have, *need}) if have.get(name) != need.get(name)]
    return ", ".join(f"{name} {_short(have.get(name))} ({by}: {_short(need.get(name))})" for name in names)


def _short(value: object) -> str:
    """A value of a specification, which may list thousands of columns."""
    return f"{len(value):,} values" if isinstance(value, tuple) and len(value) > MOST_LISTED else str(value)


def _mismatch(store: FeatureStore, recipe: Recipe, source: str, why: str) -> RunError:
    return RunError(
        f"store {store.place} does not fit recipe '{recipe.name}': {why}; build a store that fits: "
        f"{build_command(recipe, source)}"
    )


def _format_views(views: tuple[int, ...]) -> str:
    return ", ".join(map(str, views)) or "(none)"
