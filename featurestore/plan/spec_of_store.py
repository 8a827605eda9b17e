"""Reads the specification of the store at a place, finished or not."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from featurestore.format.documents import MOST_DOCUMENT
from featurestore.format.layout import FORMAT, FORMAT_VERSIONS, FORMAT_VERSIONS_TEXT, LATEST, ROOT_METADATA
from featurestore.places.folder import Folder
from featurestore.places.names import LOCK, PARTIAL_SUFFIX, TOKEN
from featurestore.places.place import Place
from featurestore.plan.existing_store import read_store_document
from schemas.errors import StoreConflictError, UsageError
from schemas.recipe import first_problem
from schemas.spec import StoreSpec


def spec_of_store(place: Place) -> StoreSpec | None:
    """Specification of the store at ``place``, finished or not; None if the place is empty.

    Raises :class:`UsageError` if the place holds something else, :class:`StoreConflictError` for a store
    that another release wrote.
    """
    if isinstance(place, Folder) and place.path.exists() and not place.path.is_dir():
        raise UsageError(f"{place} is a file, not a feature store; give another --out")
    document = read_store_document(place)
    if document is not None:  # it has the specification too, even if the root group is damaged
        return document.spec
    try:
        root = place.read(ROOT_METADATA, MOST_DOCUMENT)
    except FileNotFoundError:
        _require_empty(place)
        return None
    return _spec_in_root(root, place)


class _RootAttributes(BaseModel):
    format: str = ""
    format_version: int = 0
    spec: Any = None


class _RootGroup(BaseModel):
    attributes: _RootAttributes = _RootAttributes()


def _spec_in_root(root: bytes, place: Place) -> StoreSpec:
    try:
        attributes = _RootGroup.model_validate_json(root).attributes
    except ValidationError as error:
        raise UsageError(
            f"{place}/{ROOT_METADATA} is not the root of a feature store; give another --out"
        ) from error
    if attributes.format != FORMAT:
        raise UsageError(f"{place} is a Zarr group but not a feature store; give another --out")
    if attributes.format_version not in FORMAT_VERSIONS:
        raise StoreConflictError(
            f"{place} has format version {attributes.format_version}, but this program writes "
            f"versions {FORMAT_VERSIONS_TEXT}; install the release that wrote it, or build a new store"
        )
    try:
        return StoreSpec.model_validate(attributes.spec)
    except ValidationError as error:
        raise StoreConflictError(
            f"this release cannot read the specification of {place} ({first_problem(error)}); "
            f"install the release that wrote it, or build a new store"
        ) from error


def _require_empty(place: Place) -> None:
    present = place.sizes()
    if LATEST in present:
        raise UsageError(
            f"{place} holds published versions, which never change; build elsewhere and push the result"
        )
    for name in sorted(present, key=lambda name: (name.startswith("."), name)):
        if name not in {LOCK, TOKEN} and not name.endswith(PARTIAL_SUFFIX):
            raise UsageError(
                f"{place} is not a feature store but contains other files ({name}, …); give another --out"
            )
