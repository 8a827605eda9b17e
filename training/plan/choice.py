"""Choose recipe, input and splits of a new training from a request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.labels_spec import ALL_EMOTIONS
from schemas.overrides import override
from schemas.recipe import Recipe
from training.plan.imported import as_computed, imported_names
from training.plan.requirements import InputSelection, selection_of
from training.runs.request import TrainRequest
from training.samples.datasets import require_datasets
from training.samples.dimensions import dimensions_of
from training.samples.targets import candidates, given_emotions
from training.splits.choose import splits_of
from training.splits.split import Split
from training.vectors.groups import require_whole_groups


@dataclass(frozen=True, eq=False)
class Choice:
    """Choices for a new training: the changed recipe, the features and views to read, and the splits."""

    store: FeatureStore
    store_path: str | Path
    """Path or URL of the store, as given."""
    recipe: Recipe
    """With all changes applied and ``train.views`` set."""
    remarks: tuple[str, ...]
    """Sentences about parts of the recipe that the store lacks."""
    selection: InputSelection
    splits: tuple[Split, ...]
    """Splits of the protocol; none if they have not been drawn."""

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the splits, in order."""
        return tuple(split.fold.name if split.fold else split.protocol for split in self.splits)


def choose(request: TrainRequest) -> Choice:
    """Choose recipe, input and splits. Raises what :func:`training.plan.make.plan` raises."""
    found = choose_input(request)
    store, recipe, selection = found.store, found.recipe, found.selection
    if request.split is not None:
        split = Split.read(request.split)
        split.require_unchanged(store.manifest)
        splits: tuple[Split, ...] = (split,)
    else:
        manifest = store.manifest
        if recipe.datasets is not None:
            manifest = manifest[manifest["dataset"].isin(recipe.datasets)]
        splits = splits_of(manifest, recipe.split, request.seed or 0, store.digest, selection.views)
    _require_normalisable(store, recipe, selection.features, splits)
    return replace(found, splits=splits)


def choose_input(request: TrainRequest) -> Choice:
    """Choose recipe and input, without drawing splits; raises what :func:`choose` does."""
    if request.store is None or request.recipe is None:
        raise UsageError("a new run needs a store and a recipe; give both, or give a run to resume")
    recipe = override(request.recipe, request.changes)
    store = FeatureStore.open(request.store)
    recipe = as_computed(store.spec, recipe)
    if any(change.startswith("datasets=") for change in request.changes):
        require_datasets(store.document.datasets, recipe.datasets or ())
    selection = selection_of(store, recipe, request.recipe_source or recipe.name)
    remarks = (*_missing_views(store, recipe), *_missing_datasets(store, recipe))
    recipe = override(recipe, [f"train.views={list(selection.views)}", *_any_dataset(store, recipe)])
    recipe = _with_known_labels(store, recipe)
    return Choice(store, request.store, recipe, remarks, selection, ())


def _with_known_labels(store: FeatureStore, recipe: Recipe) -> Recipe:
    """The recipe with what its labels mean in this store: the map of the label set ``all``, or dimensions."""
    if recipe.labels.is_regression:
        if recipe.labels.dimensions is not None:
            return recipe
        found = dimensions_of(store.manifest, recipe.where, recipe.datasets)
        labels = recipe.labels.model_copy(update={"dimensions": found})
        return recipe.model_copy(update={"labels": labels})
    if recipe.labels.set != ALL_EMOTIONS:
        return recipe
    clips = candidates(store.manifest, recipe.where, recipe.datasets)
    emotions = given_emotions(clips)
    try:
        labels = recipe.labels.resolve(emotions)
    except ValueError as error:
        held = ", ".join(emotions) or "none"
        raise RunError(
            f"label set 'all' needs clips of at least two emotions, but the store has {held}; add clips, or "
            f"change where and datasets"
        ) from error
    return recipe.model_copy(update={"labels": labels})


def _require_normalisable(
    store: FeatureStore, recipe: Recipe, features: tuple[str, ...], splits: tuple[Split, ...]
) -> None:
    if recipe.input.within is not None:
        require_whole_groups(store.manifest[store.has_values(features)], splits, recipe.input.within)


def _missing_views(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """One sentence if all views of the store are read, but the recipe lists more."""
    held, listed = len(store.spec.views), len(recipe.views)
    imported = imported_names(store.spec, recipe)
    if imported and held:
        return (f"{imported[0]} was imported for the original view alone; the augmented views are not read",)
    if imported or recipe.train.views is not None or held >= listed:
        return ()
    sentence = (
        f"the store holds {held} of the recipe's {listed} augmented views; to use all of them, "
        f"build a store with --augment {listed}"
    )
    return (sentence,)


def _missing_datasets(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """One sentence if the store lacks corpora of the recipe."""
    held = sorted(store.document.datasets)
    wanted = recipe.datasets or ()
    absent = [name for name in wanted if name not in held]
    if not absent:
        return ()
    if len(absent) == len(wanted):
        return (f"the store has none of the recipe's corpora ({', '.join(wanted)}); the whole store is used",)
    return (f"the recipe trains on {', '.join(wanted)}, but the store lacks {', '.join(absent)}",)


def _any_dataset(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """Change that lets a recipe train on a store with none of its corpora, such as a user's own store."""
    return () if {*(recipe.datasets or ())} & {*store.document.datasets} else ("datasets=null",)
