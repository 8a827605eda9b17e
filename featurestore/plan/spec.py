"""Which specification a build follows: the recipe's, or that of the store that is already there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from featurestore.format.documents import MOST_DOCUMENT, StoreDocument, read_document
from featurestore.format.layout import FORMAT, FORMAT_VERSION, LATEST, ROOT_METADATA, STORE_JSON
from featurestore.places.folder import Folder
from featurestore.places.names import LOCK, PARTIAL_SUFFIX, TOKEN
from featurestore.places.place import Place
from featurestore.plan.growth import holds_all_of
from schemas.defaults import DEFAULT_RECIPE
from schemas.errors import SpecError, StoreConflictError, StoreDamagedError, UsageError
from schemas.features import named_features
from schemas.recipe import first_problem, load_recipe
from schemas.spec import StorageSpec, StoreSpec


@dataclass(frozen=True)
class SpecRequest:
    """What the user said of the specification; None: not said."""

    recipe: str | None = None
    augment: int | None = None
    features: str | None = None
    seed: int | None = None
    dtype: str | None = None
    codec: str | None = None


def choose_spec(request: SpecRequest, place: Place) -> StoreSpec:
    """Specification to build the store at ``place`` with.

    What is not said is taken from the store where there is one, else from the recipe
    (:data:`~schemas.defaults.DEFAULT_RECIPE`). Features and views that a store lacks are added to those it has; all else must
    be as the store was begun. Raises :class:`StoreConflictError` where it is not, and :class:`UsageError` or
    :class:`SpecError` for a request that is none.
    """
    standing = spec_of_store(place)
    base = standing.storage if standing else StorageSpec()
    try:
        storage = StorageSpec.model_validate(
            {"dtype": request.dtype or base.dtype, "codec": request.codec or base.codec}
        )
        seed = request.seed if request.seed is not None else (standing.seed if standing else 0)
        recipe = load_recipe(request.recipe or DEFAULT_RECIPE)
        if standing is None:
            wanted = recipe.store_spec(request.augment, seed, storage)
            return _with_features(wanted, request.features) if request.features is not None else wanted
        if request.recipe is not None:
            asked = recipe.store_spec(request.augment, seed, storage)
            if request.features is not None:
                asked = _with_features(asked, request.features, standing)
        else:
            asked = standing.model_copy(update={"seed": seed, "storage": storage})
            if request.features is not None:
                asked = _with_features(asked, request.features, standing)
            if request.augment is not None and request.augment > len(standing.views):
                asked = asked.model_copy(update={"views": recipe.store_spec(request.augment).views})
                if asked.views[: len(standing.views)] != standing.views:
                    raise StoreConflictError(
                        f"the {len(standing.views)} augmented views of {place} are not the first ones of "
                        f"recipe '{recipe.name}'; give the --recipe that has them and more"
                    )
        return _grown(standing, asked, request.augment, place)
    except ValidationError as error:
        raise SpecError(first_problem(error)) from error


def _grown(standing: StoreSpec, asked: StoreSpec, augment: int | None, place: Place) -> StoreSpec:
    """The store's specification with the features and views that are asked for beside its own."""
    if augment is not None and augment < len(standing.views):
        raise StoreConflictError(
            f"{place} was built with --augment {len(standing.views)}, and --augment {augment} is "
            f"asked for; give another --out, or leave --augment out"
        )
    kinds = {feature.kind for feature in standing.features}
    further = [feature for feature in asked.features if feature.kind not in kinds]
    other = [f for f in asked.features if f.kind in kinds and f not in standing.features]
    whole = kinds <= {feature.kind for feature in asked.features}
    as_asked = bool(other) or (whole and bool(further))  # in the order that a new store would have
    features = asked.features if as_asked else (*standing.features, *further)
    fewer = asked.views == standing.views[: len(asked.views)]
    views = standing.views if fewer else asked.views
    parts = {"features": [f.model_dump() for f in features], "views": [view.model_dump() for view in views]}
    wanted = StoreSpec.model_validate({**asked.model_dump(), **parts})
    if not holds_all_of(wanted, standing):
        raise StoreConflictError(
            f"{place} was built with another specification ({_difference(standing, wanted)}); "
            f"give another --out, or leave the option out to go on as the store was begun"
        )
    return wanted


def _with_features(spec: StoreSpec, names: str, standing: StoreSpec | None = None) -> StoreSpec:
    """The specification with the features named, and those of a store that stands."""
    named = named_features(names, spec.features)
    kinds = {feature.kind for feature in named}
    before = standing.features if standing else ()
    if not {feature.kind for feature in before} <= kinds:
        named = (*before, *(feature for feature in named if feature not in before))
    return StoreSpec.model_validate(
        {**spec.model_dump(), "features": [feature.model_dump() for feature in named]}
    )


class _RootAttributes(BaseModel):
    format: str = ""
    format_version: int = 0
    spec: Any = None


class _RootGroup(BaseModel):
    attributes: _RootAttributes = _RootAttributes()


def spec_of_store(place: Place) -> StoreSpec | None:
    """Specification in the root attributes of a store, finished or not; None where nothing stands yet.

    Raises :class:`UsageError` for a place that holds something else.
    """
    if isinstance(place, Folder) and place.path.exists() and not place.path.is_dir():
        raise UsageError(f"{place} is a file, not a feature store; give another --out")
    document = _document(place)
    if document is not None:  # it has the specification too, should the root group be damaged
        return document.spec
    try:
        root = place.read(ROOT_METADATA, MOST_DOCUMENT)
    except FileNotFoundError:
        _require_empty(place)
        return None
    try:
        attributes = _RootGroup.model_validate_json(root).attributes
    except ValidationError as error:
        raise UsageError(
            f"{place}/{ROOT_METADATA} is not the root of a feature store; give another --out"
        ) from error
    if attributes.format != FORMAT:
        raise UsageError(f"{place} is a Zarr group but not a feature store; give another --out")
    if attributes.format_version != FORMAT_VERSION:
        raise StoreConflictError(
            f"{place} has format version {attributes.format_version}, this program writes "
            f"version {FORMAT_VERSION}; install the release that wrote it or build anew"
        )
    try:
        return StoreSpec.model_validate(attributes.spec)
    except ValidationError as error:
        raise StoreConflictError(
            f"{place} holds a specification that this release does not know ({first_problem(error)}); "
            f"install the release that wrote it or build anew"
        ) from error


def _require_empty(place: Place) -> None:
    present = place.sizes()
    if LATEST in present:
        raise UsageError(
            f"{place} holds published versions, which stay as they are; build elsewhere and push"
        )
    for name in sorted(present, key=lambda name: (name.startswith("."), name)):
        if name not in {LOCK, TOKEN} and not name.endswith(PARTIAL_SUFFIX):
            raise UsageError(
                f"{place} holds other things ({name}, …), not a feature store; give another --out"
            )


def _document(place: Place) -> StoreDocument | None:
    try:
        return read_document(place, STORE_JSON, StoreDocument)
    except (FileNotFoundError, StoreDamagedError):
        return None


def _difference(standing: StoreSpec, wanted: StoreSpec) -> str:
    """The first field that differs, with both values."""
    old, new = _leaves(standing.model_dump(mode="json")), _leaves(wanted.model_dump(mode="json"))
    for name in [*old, *new]:
        if old.get(name) != new.get(name):
            return f"{name}: {old.get(name, 'absent')} in the store, {new.get(name, 'absent')} asked for"
    return "no visible difference"


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    items: dict[Any, Any]
    match value:
        case dict():
            items = value
        case list() if any(isinstance(entry, dict) for entry in value):
            items = dict(enumerate(value))
        case _:
            return {prefix: value}
    out: dict[str, Any] = {}
    for key, entry in items.items():
        out.update(_leaves(entry, f"{prefix}.{key}" if prefix else str(key)))
    return out
