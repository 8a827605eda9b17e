"""Deletes ``store.json`` while a store changes, and files that are not objects of the store."""

from __future__ import annotations

from collections.abc import Collection

from featurestore.format.layout import RECORDS, STORE_JSON
from featurestore.places.names import LOCK, PARTIAL_SUFFIX, TOKEN
from featurestore.places.place import Place


def withdraw(place: Place) -> None:
    """Delete ``store.json`` before any object that it lists changes, so that readers refuse the store."""
    place.delete([STORE_JSON])


def sweep(place: Place, datasets: Collection[str], objects: Collection[str]) -> None:
    """Delete partial files, and what an interrupted or older build left in the store's own folders."""
    place.delete(
        name
        for name in place.sizes()
        if name not in objects and (_in_own_folder(name, datasets) or name.endswith(PARTIAL_SUFFIX))
    )


def strangers(present: Collection[str], objects: Collection[str]) -> list[str]:
    """The files that are present but are not objects of the store, sorted."""
    return sorted(name for name in present if name not in objects and name not in {STORE_JSON, LOCK, TOKEN})


def _in_own_folder(name: str, datasets: Collection[str]) -> bool:
    folder, inside, _ = name.partition("/")
    return bool(inside) and (folder == RECORDS or folder in datasets)
