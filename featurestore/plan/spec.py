"""Which specification a build follows: the recipe's, or that of the existing store with additions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from featurestore.plan.growth import extends
from featurestore.plan.spec_difference import first_difference
from schemas.defaults import DEFAULT_RECIPE
from schemas.encoders import EncoderSpec
from schemas.errors import SpecError, StoreConflictError, UsageError
from schemas.features import FeatureSpec, named_features
from schemas.imported import ImportedSpec
from schemas.known_encoders import KNOWN_ENCODERS
from schemas.opensmile import OpenSmileSpec
from schemas.recipe import first_problem, load_recipe
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
    layers: tuple[int, ...] | None = None
    """Layers of encoders that ``features`` adds; None: all."""
    pooling: str | None = None
    """Pooling of encoders that ``features`` adds."""
    encoders: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the weights of encoders, by name."""


def choose_spec(request: SpecRequest, existing: StoreSpec | None, store: str) -> StoreSpec:
    """Specification of the store that a build makes or extends.

    ``existing`` : of the store that is already there, None for a new one. ``store`` : its name, for errors.

    Options that are not given come from the existing store, for a new one from the recipe
    (:data:`~schemas.defaults.DEFAULT_RECIPE`). Raises :class:`SpecError` or :class:`UsageError` for
    invalid options, :class:`StoreConflictError` for options that contradict the existing store.
    """
    try:
        spec = new_spec(request) if existing is None else extended_spec(request, existing, store)
    except ValidationError as error:
        raise SpecError(first_problem(error)) from error
    if spec.storage.dtype == "float16" and any(feature.name == "compare" for feature in spec.opensmile):
        raise SpecError("compare has values far beyond float16; add --dtype float32")
    return spec


def new_spec(request: SpecRequest) -> StoreSpec:
    """Specification of a new store."""
    return _recipe_spec(request, request.seed or 0, _storage(request, StorageSpec()), None)


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
    if request.recipe is not None:
        return _recipe_spec(request, seed, storage, existing)
    spec = existing.model_copy(update={"seed": seed, "storage": storage})
    if request.augment is not None and request.augment > len(existing.views):
        spec = _with_more_views(spec, request.augment, store)
    return _validate(spec.model_copy(update={"features": _features(request, spec.features, existing)}))


def _recipe_spec(
    request: SpecRequest, seed: int, storage: StorageSpec, existing: StoreSpec | None
) -> StoreSpec:
    recipe = load_recipe(request.recipe or DEFAULT_RECIPE)
    features = _features(request, recipe.features, existing)
    return recipe.model_copy(update={"features": features}).store_spec(request.augment, seed, storage)


def _features(
    request: SpecRequest, listed: tuple[FeatureSpec, ...], existing: StoreSpec | None
) -> tuple[FeatureSpec, ...]:
    """The requested features (not given: those ``listed``), complete."""
    before = existing.features if existing else ()
    features = listed
    if request.features is not None:
        named = named_features(request.features, listed, _encoders(request))
        features = tuple(_with_options(feature, request) for feature in named)
        if not {feature.name for feature in before} <= {feature.name for feature in features}:
            new = {feature.name: feature for feature in features}
            features = (*(new.pop(feature.name, feature) for feature in before), *new.values())
    elif request.layers is not None or request.pooling is not None:
        raise UsageError("--layers and --pooling apply to encoders that --features names; add --features")
    features = _without_unknown_imports(features, before)
    if any(isinstance(feature, OpenSmileSpec) for feature in features):
        from featurestore.plan.opensmile import fill_in_opensmile

        features = fill_in_opensmile(features, before)
    if any(isinstance(feature, EncoderSpec) for feature in features):
        from featurestore.plan.encoders import fill_in_encoders

        features = fill_in_encoders(features, before, request.encoders)
    return features


def _without_unknown_imports(
    features: tuple[FeatureSpec, ...], before: tuple[FeatureSpec, ...]
) -> tuple[FeatureSpec, ...]:
    """The features without imported ones that the store lacks: those come from files, after the build."""
    held = {feature.name: feature for feature in before if isinstance(feature, ImportedSpec)}
    kept = tuple(
        held[feature.name] if isinstance(feature, ImportedSpec) else feature
        for feature in features
        if not isinstance(feature, ImportedSpec) or feature.name in held
    )
    if all(isinstance(feature, ImportedSpec) for feature in kept):
        names = ", ".join(feature.name for feature in features)
        raise UsageError(
            f"a build computes no imported features, and there are no others ({names}); name some with "
            f"--features"
        )
    return kept


def _encoders(request: SpecRequest) -> dict[str, EncoderSpec]:
    """The encoders that a request may name, with their defaults."""
    names = (*KNOWN_ENCODERS, *request.encoders)
    return {name: EncoderSpec.model_validate({"name": name}) for name in names}


def _with_options(feature: FeatureSpec, request: SpecRequest) -> FeatureSpec:
    """A named feature; an encoder with the layers and the pooling that the request gives."""
    given = {"layers": request.layers, "pooling": request.pooling}
    options = {name: value for name, value in given.items() if value is not None}
    if not isinstance(feature, EncoderSpec) or not options:
        return feature
    return EncoderSpec.model_validate({**feature.model_dump(), **options})


def _with_more_views(existing: StoreSpec, augment: int, store: str) -> StoreSpec:
    """The specification with the default recipe's first ``augment`` views, which must begin with its own."""
    recipe = load_recipe(DEFAULT_RECIPE)
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
    names = {feature.name for feature in existing.features}
    new = [feature for feature in requested.features if feature.name not in names]
    conflicting = [f for f in requested.features if f.name in names and f not in existing.features]
    names_all = names <= {feature.name for feature in requested.features}
    in_requested_order = bool(conflicting) or (names_all and bool(new))
    features = requested.features if in_requested_order else (*existing.features, *new)
    fewer = requested.views == existing.views[: len(requested.views)]
    views = existing.views if fewer else requested.views
    return _validate(requested.model_copy(update={"features": tuple(features), "views": views}))


def _storage(request: SpecRequest, base: StorageSpec) -> StorageSpec:
    return StorageSpec.model_validate(
        {"dtype": request.dtype or base.dtype, "codec": request.codec or base.codec}
    )


def _validate(spec: StoreSpec) -> StoreSpec:
    """Check that the parts of the specification fit together, which ``model_copy`` does not do."""
    return StoreSpec.model_validate(spec.model_dump())
