"""Which specification a build follows: the recipe's, or that of the existing store with additions."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from featurestore.plan.growth import extends
from featurestore.plan.spec_difference import first_difference
from schemas.defaults import DEFAULT_RECIPE
from schemas.errors import SpecError, StoreConflictError
from schemas.features import FeatureSpec, named_features
from schemas.recipe import Recipe, first_problem, load_recipe
from schemas.spec import StorageSpec, StoreSpec


@dataclass(frozen=True)
class SpecRequest:
    """The user's options about the specification; None: not given."""

    recipe: str | None = None
    augment: int | None = None
    features: str | None = None
    seed: int | None = None
    dtype: str | None = None
    codec: str | None = None


def choose_spec(request: SpecRequest, existing: StoreSpec | None, store: str) -> StoreSpec:
    """Specification of the store that a build makes or extends.

    ``existing`` : of the store that is already there, None for a new one. ``store`` : its name, for errors.

    Options that are not given come from the existing store, for a new one from the recipe
    (:data:`~schemas.defaults.DEFAULT_RECIPE`). Raises :class:`SpecError` or :class:`UsageError` for
    invalid options, :class:`StoreConflictError` for options that contradict the existing store.
    """
    try:
        return new_spec(request) if existing is None else extended_spec(request, existing, store)
    except ValidationError as error:
        raise SpecError(first_problem(error)) from error


def new_spec(request: SpecRequest) -> StoreSpec:
    """Specification of a new store."""
    storage = _storage(request, StorageSpec())
    spec = _recipe(request).store_spec(request.augment, request.seed or 0, storage)
    if request.features is None:
        return spec
    return _with_features(spec, named_features(request.features, spec.features))


def extended_spec(request: SpecRequest, existing: StoreSpec, store: str) -> StoreSpec:
    """The existing store's specification with the requested features and views added to its own.

    Raises :class:`StoreConflictError` if anything but features and views would change.
    """
    requested = _requested_spec(request, existing, store)
    if request.augment is not None and request.augment < len(existing.views):
        raise StoreConflictError(
            f"{store} was built with --augment {len(existing.views)}, and --augment {request.augment} would "
            f"remove views; give another --out, or leave --augment out"
        )
    wanted = _add_to(existing, requested)
    if not extends(wanted, existing):
        raise StoreConflictError(
            f"{store} was built with another specification ({first_difference(existing, wanted)}); "
            f"give another --out, or leave the option out to keep the store's specification"
        )
    return wanted


def _requested_spec(request: SpecRequest, existing: StoreSpec, store: str) -> StoreSpec:
    """The specification that the options describe, before the store's own features and views are added."""
    storage = _storage(request, existing.storage)
    seed = existing.seed if request.seed is None else request.seed
    recipe = _recipe(request)
    if request.recipe is not None:
        spec = recipe.store_spec(request.augment, seed, storage)
    else:
        spec = existing.model_copy(update={"seed": seed, "storage": storage})
        if request.augment is not None and request.augment > len(existing.views):
            spec = _with_more_views(spec, recipe, request.augment, store)
    if request.features is None:
        return spec
    named = named_features(request.features, spec.features)
    if not {feature.name for feature in existing.features} <= {feature.name for feature in named}:
        named = (*existing.features, *(feature for feature in named if feature not in existing.features))
    return _with_features(spec, named)


def _with_more_views(existing: StoreSpec, recipe: Recipe, augment: int, store: str) -> StoreSpec:
    """The specification with the recipe's first ``augment`` views, which must begin with its own."""
    views = recipe.store_spec(augment).views
    if views[: len(existing.views)] != existing.views:
        raise StoreConflictError(
            f"the {len(existing.views)} augmented views of {store} are not the first ones of recipe "
            f"'{recipe.name}'; give the --recipe that begins with them and has more"
        )
    return existing.model_copy(update={"views": views})


def _add_to(existing: StoreSpec, requested: StoreSpec) -> StoreSpec:
    """The requested specification with the store's own features and views first.

    Features are in the order of a new store if the request names all of them.
    """
    kinds = {feature.name for feature in existing.features}
    new = [feature for feature in requested.features if feature.name not in kinds]
    conflicting = [f for f in requested.features if f.name in kinds and f not in existing.features]
    names_all = kinds <= {feature.name for feature in requested.features}
    in_requested_order = bool(conflicting) or (names_all and bool(new))
    features = requested.features if in_requested_order else (*existing.features, *new)
    fewer = requested.views == existing.views[: len(requested.views)]
    views = existing.views if fewer else requested.views
    return _validate(requested.model_copy(update={"features": tuple(features), "views": views}))


def _storage(request: SpecRequest, base: StorageSpec) -> StorageSpec:
    return StorageSpec.model_validate(
        {"dtype": request.dtype or base.dtype, "codec": request.codec or base.codec}
    )


def _recipe(request: SpecRequest) -> Recipe:
    return load_recipe(request.recipe or DEFAULT_RECIPE)


def _with_features(spec: StoreSpec, features: tuple[FeatureSpec, ...]) -> StoreSpec:
    return _validate(spec.model_copy(update={"features": features}))


def _validate(spec: StoreSpec) -> StoreSpec:
    """Check that the parts of the specification fit together, which ``model_copy`` does not do."""
    return StoreSpec.model_validate(spec.model_dump())
