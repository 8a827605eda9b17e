"""Which specification a build follows: the recipe's, or that of the store that is already there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from featurestore.documents import StoreDocument, read_document
from featurestore.layout import FORMAT, FORMAT_VERSION, LOCK, PARTIAL_SUFFIX, ROOT_METADATA, STORE_JSON
from schemas.errors import SpecError, StoreConflictError, StoreDamagedError, UsageError
from schemas.features import named_features
from schemas.recipe import first_problem, load_recipe
from schemas.spec import StorageSpec, StoreSpec

DEFAULT_RECIPE = "four-corpora-a"


@dataclass(frozen=True)
class SpecRequest:
    """What the user said of the specification; None: not said."""

    recipe: str | None = None
    augment: int | None = None
    features: str | None = None
    seed: int | None = None
    dtype: str | None = None
    codec: str | None = None


def choose_spec(request: SpecRequest, store: Path) -> StoreSpec:
    """Specification to build ``store`` with.

    What is not said is taken from the store where there is one, else from the recipe
    (:data:`DEFAULT_RECIPE`). Raises :class:`StoreConflictError` where the two differ, and
    :class:`UsageError` or :class:`SpecError` for a request that is none.
    """
    standing = spec_of_store(store)
    base = standing.storage if standing else StorageSpec()
    try:
        storage = StorageSpec.model_validate(
            {"dtype": request.dtype or base.dtype, "codec": request.codec or base.codec}
        )
        seed = request.seed if request.seed is not None else (standing.seed if standing else 0)
        if standing is not None and request.recipe is None:
            wanted = standing.model_copy(update={"seed": seed, "storage": storage})
            if request.features is not None:
                wanted = _with_features(wanted, request.features)
            if request.augment is not None and request.augment != len(standing.views):
                raise StoreConflictError(
                    f"{store} was built with {len(standing.views)} augmented views, {request.augment} are "
                    f"asked for; give another --out, or leave --augment out"
                )
        else:
            recipe = load_recipe(request.recipe or DEFAULT_RECIPE)
            wanted = recipe.store_spec(request.augment, seed, storage)
            if request.features is not None:
                wanted = _with_features(wanted, request.features)
    except ValidationError as error:
        raise SpecError(first_problem(error)) from error
    if standing is not None and wanted != standing:
        raise StoreConflictError(
            f"{store} was built with another specification ({_difference(standing, wanted)}); "
            f"give another --out, or leave the option out to go on as the store was begun"
        )
    return wanted


def _with_features(spec: StoreSpec, names: str) -> StoreSpec:
    features = [feature.model_dump() for feature in named_features(names, spec.features)]
    return StoreSpec.model_validate({**spec.model_dump(), "features": features})


class _RootAttributes(BaseModel):
    format: str = ""
    format_version: int = 0
    spec: Any = None


class _RootGroup(BaseModel):
    attributes: _RootAttributes = _RootAttributes()


def spec_of_store(store: Path) -> StoreSpec | None:
    """Specification in the root attributes of a store, finished or not; None where nothing stands yet.

    Raises :class:`UsageError` for a folder that holds something else.
    """
    if not store.exists():
        return None
    if not store.is_dir():
        raise UsageError(f"{store} is a file, not a feature store; give another --out")
    document = _document(store)
    if document is not None:  # it has the specification too, should the root group be damaged
        return document.spec
    if not (store / ROOT_METADATA).is_file():
        entries = [
            entry.name
            for entry in store.iterdir()
            if entry.name != LOCK and not entry.name.endswith(PARTIAL_SUFFIX)
        ]
        if entries:
            raise UsageError(
                f"{store} is a folder with other things in it ({entries[0]}, …), not a feature store; "
                f"give another --out"
            )
        return None
    try:
        attributes = _RootGroup.model_validate_json((store / ROOT_METADATA).read_bytes()).attributes
    except ValidationError as error:
        raise UsageError(
            f"{store / ROOT_METADATA} is not the root of a feature store; give another --out"
        ) from error
    if attributes.format != FORMAT:
        raise UsageError(f"{store} is a Zarr group but not a feature store; give another --out")
    if attributes.format_version != FORMAT_VERSION:
        raise StoreConflictError(
            f"{store} has format version {attributes.format_version}, this program writes "
            f"version {FORMAT_VERSION}; install the release that wrote it or build anew"
        )
    try:
        return StoreSpec.model_validate(attributes.spec)
    except ValidationError as error:
        raise StoreConflictError(
            f"{store} holds a specification that this release does not know ({first_problem(error)}); "
            f"install the release that wrote it or build anew"
        ) from error


def _document(store: Path) -> StoreDocument | None:
    try:
        return read_document(store / STORE_JSON, StoreDocument)
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
