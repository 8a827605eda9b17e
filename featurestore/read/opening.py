"""From a path or URL to a store's document and the place of its objects, trusting nothing that is found."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from featurestore.format.coordinates import row_coordinates
from featurestore.format.documents import MOST_DOCUMENT, StoreDocument, broken_seal
from featurestore.format.json_limits import parse_json_document
from featurestore.format.layout import (
    FORMAT_VERSION,
    FORMAT_VERSIONS,
    FORMAT_VERSIONS_TEXT,
    ROOT_METADATA,
    STORE_JSON,
    object_names,
)
from featurestore.format.limits import check_declared
from featurestore.format.seal import unseal
from featurestore.format.versions import (
    find_version,
    read_versions,
    split_version,
    version_folder,
    version_id,
)
from featurestore.places.choose import is_url, place_at
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from schemas.errors import (
    SerError,
    StoreConflictError,
    StoreDamagedError,
    StoreNotFoundError,
    StoreUnfinishedError,
)

REPAIR = "run `ser-features build --check` with its corpora to repair it"


def open_place(where: str | Path) -> tuple[Place, StoreDocument]:
    """Find the store at a path or URL, or the newest version published there; ``URL@1a2b…`` names a version.

    Raises what :meth:`featurestore.store.FeatureStore.open` raises.
    """
    name, wanted = split_version(str(where))
    if wanted is not None and not is_url(where) and Path(where).exists():
        name, wanted = str(where), None
    place = place_at(name)
    if wanted is None:
        document = _document_at(place)
        if document is not None:
            return place, document
    published = read_versions(place)
    if published is not None:
        identity = find_version(published, wanted, place)
        version = place_at(f"{name.rstrip('/')}/{version_folder(identity)}")
        document = _document_at(version)
        if document is None:
            raise StoreDamagedError(
                f"{version} has no {STORE_JSON}, although {place} lists this version; "
                f"ask its publisher, or push it again"
            )
        if version_id(document.digest) != identity:
            raise StoreDamagedError(f"{version} holds a store with another digest; do not use it")
        return version, document
    raise _no_store(place, wanted)


def _no_store(place: Place, wanted: str | None) -> SerError:
    """The error if there is no store at ``place``, or no published version ``wanted``."""
    if isinstance(place, Folder) and place.path.is_file():
        return StoreNotFoundError(f"{place} is a file, not a feature store; {_hint_for_file(place.path)}")
    if wanted is not None:
        return StoreNotFoundError(
            f"nothing is published at {place}, so it has no version @{wanted}; check the address"
        )
    if place.size(ROOT_METADATA) is not None:
        return StoreUnfinishedError(
            f"{place} is not finished; run `ser-features build --out {place}` with its corpora"
        )
    if isinstance(place, Folder) and place.path.is_dir() and (hint := _hint_for_folder(place.path)):
        return StoreNotFoundError(f"{place} is a folder, not a feature store; {hint}")
    return StoreNotFoundError(
        f"there is no feature store at {place}; check the name, or build one with `ser-features build --out "
        f"{place}`"
    )


def _hint_for_file(path: Path) -> str:
    """What to do if a file was given instead of a store."""
    stores = [folder for folder in path.parents if (folder / STORE_JSON).is_file()]
    return (
        f"give the store it belongs to, {stores[0]}" if stores else "if it is a packed store, unpack it first"
    )


def _hint_for_folder(path: Path) -> str:
    """What to do if another folder was given instead of a store; empty if that folder is empty."""
    names = sorted(each.name for each in path.iterdir())
    stores = [name for name in names if (path / name / STORE_JSON).is_file()]
    if stores:
        return f"it contains one: give {path / stores[0]}"
    if "run.json" in names or "series.json" in names:
        return "it is the folder of a training run; give the store that the run was trained on"
    return (
        f"it contains other files ({names[0]}, …); give the folder that `ser-features build` made"
        if names
        else ""
    )


def read_document_at(place: Place) -> StoreDocument:
    """Read the document of the store at ``place`` itself. Raises :class:`StoreUnfinishedError` for none."""
    document = _document_at(place)
    if document is None:
        raise StoreUnfinishedError(f"{place} has no {STORE_JSON}; finish or repair its build")
    return document


def _document_at(place: Place) -> StoreDocument | None:
    """Read ``store.json``: valid, matching its own digest, and listing exactly the expected objects."""
    try:
        data = place.read(STORE_JSON, MOST_DOCUMENT)
    except FileNotFoundError:
        return None
    try:
        body, is_sealed = unseal(data)
        document = parse_json_document(body, f"{place}/{STORE_JSON}", StoreDocument)
    except StoreDamagedError:
        _refuse_other_version(data, place)
        raise
    if document.digest != document.computed_digest() or document.spec_digest != document.spec.digest:
        raise StoreDamagedError(f"{place}/{STORE_JSON} does not match its own digest; {REPAIR}")
    _refuse_joined_layers(document, place)
    check_declared(document)
    wanted = set(object_names(document.spec, {name: entry.rows for name, entry in document.datasets.items()}))
    if wanted != document.objects.keys():
        more, fewer = document.objects.keys() - wanted, wanted - document.objects.keys()
        odd = [
            *(f"lists {name!r}" for name in islice(sorted(more), 1)),
            *(f"lacks {n}" for n in sorted(fewer)[:1]),
        ]
        raise StoreDamagedError(
            f"{place}/{STORE_JSON} {' and '.join(odd)}, which does not fit its specification; "
            f"do not use this store"
        )
    if not is_sealed:  # checked last: any other fault says more
        raise broken_seal(f"{place}/{STORE_JSON}")
    return document


def _refuse_joined_layers(document: StoreDocument, place: Place) -> None:
    """Raise :class:`StoreConflictError` for a store from before layers had shards and coordinates."""
    for feature in document.spec.encoders:
        coordinate = row_coordinates(feature)[0]
        named = (f"{dataset}/{coordinate}/{ROOT_METADATA}" for dataset in document.datasets)
        if not all(name in document.objects for name in named):
            raise StoreConflictError(
                f"{place} was built by an older version, which stored all layers of {feature.name} together; "
                "build it again"
            )


class _FormatVersion(BaseModel):
    """The only field that is read from a document that is not valid."""

    format_version: int = Field(FORMAT_VERSION, ge=0, lt=10**6)


def _refuse_other_version(data: bytes, place: Place) -> None:
    try:
        version = _FormatVersion.model_validate_json(data).format_version
    except ValidationError:
        return
    if version not in FORMAT_VERSIONS:
        raise StoreConflictError(
            f"{place} has format version {version}, but this program reads versions "
            f"{FORMAT_VERSIONS_TEXT}; install the release that wrote it, or build it again"
        )
