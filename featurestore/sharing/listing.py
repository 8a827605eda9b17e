"""List what is published at a place: the versions of a store or of a run, and the runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from featurestore.format.layout import STORE_JSON
from featurestore.format.run_versions import RunVersion, RunVersions, read_run_list, run_folder
from featurestore.format.versions import Version, read_versions, read_versions_of, split_version
from featurestore.places.choose import place_at
from schemas.errors import RunError


@dataclass(frozen=True)
class PublishedVersions:
    """The versions at a place, from the oldest to the newest push, and the one that opens by default."""

    url: str
    latest: str
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class ListedRun:
    """A run at a place; ``store_version`` None: its store is not published there."""

    name: str
    url: str
    version: RunVersion
    """The newest one."""
    store_version: str | None


@dataclass(frozen=True)
class ListedRuns:
    """The runs at a place: those of the newest version of the store first, those of stores elsewhere last."""

    url: str
    runs: tuple[ListedRun, ...]


def list_versions(url: str | Path) -> PublishedVersions | None:
    """List the versions at a path or URL; None if there are none, for a plain store and for ``URL@1a2b…``.

    Raises :class:`~schemas.errors.StorageError` if the place cannot be read, and
    :class:`~schemas.errors.StoreDamagedError` if its list of versions is damaged.
    """
    if split_version(str(url))[1] is not None:
        return None
    place = place_at(url)
    if place.size(STORE_JSON) is not None:
        return None
    found = read_versions(place)
    return PublishedVersions(str(place), found.latest, found.versions) if found else None


def list_runs(url: str | Path, published: PublishedVersions | None) -> ListedRuns | None:
    """List the runs at a path or URL; None if there are none.

    ``published``: the versions of stores there. Raises what :func:`list_versions` raises.
    """
    place = place_at(split_version(str(url))[0])
    found = read_run_list(place)
    if found is None or not found.runs:
        return None
    order = {version.digest: version.id for version in reversed(published.versions)} if published else {}
    place_of = {digest: position for position, digest in enumerate(order)}
    runs = [
        ListedRun(name, f"{place}/{run_folder(name)}", version, order.get(version.facts.store))
        for name, version in found.runs.items()
    ]
    runs.sort(key=lambda run: (place_of.get(run.version.facts.store, len(order)), run.name))
    return ListedRuns(str(place), tuple(runs))


def list_run_versions(url: str | Path) -> RunVersions | None:
    """List the versions of the run at a path or URL; None if no run is published there.

    Raises what :func:`list_versions` raises.
    """
    place = place_at(split_version(str(url))[0])
    if place.size(STORE_JSON) is not None:
        return None
    try:
        return read_versions_of(place, RunVersions)
    except RunError:  # stores are published there
        return None
