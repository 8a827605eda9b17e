"""A published run or series: the document that lists its files, and how it is found by URL.

::

    URL/of/run            latest.json ─▶ versions/<id>/published.json ─▶ run.json, split.json, …
    URL/of/run@1a2b…      names a version by the start of its digest

Nothing that is read from there is trusted: the document must have the digest that names its version, and may
list only files that training writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from pydantic import Field

from featurestore.format.documents import StoredObject, parse_document
from featurestore.format.layout import RUNS, STORE_JSON
from featurestore.format.run_versions import (
    RunFacts,
    RunVersion,
    RunVersions,
    is_run_name,
    read_run_list,
)
from featurestore.format.versions import (
    find_version,
    read_versions,
    read_versions_of,
    split_version,
    version_folder,
    version_id,
)
from featurestore.places.choose import is_url, place_at
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from schemas.errors import RunError, SerError, StoreDamagedError
from schemas.model import Model, canonical_digest
from training.runs.hashes import HASHES, PUBLISHED, RESUMED_FROM, is_part

REPAIR = "ask its publisher, or push it again"

_MOST_DOCUMENT = 2**26
_MOST_FILES = 100_000
_MOST_BYTES = 2**32
"""Of one file: no network of this program comes near."""
_MOST_TEXT = 2**31
"""Of one file that does not hold weights."""

FOLD = re.compile(r"fold-[1-9][0-9]{0,4}")
"""Name of the folder of a fold in that of its series."""


class PublishedRun(Model):
    """``published.json``: written last, makes a published version of a run valid."""

    format: Literal["ser-run"] = "ser-run"
    format_version: Literal[1] = 1
    digest: str = Field(pattern="^sha256:[0-9a-f]{64}$")
    """Of all other fields, so that it also names the hash of every file."""
    facts: RunFacts
    objects: dict[str, StoredObject]
    """By path within the folder, with ``/``."""

    @classmethod
    def of(cls, facts: RunFacts, objects: dict[str, StoredObject]) -> Self:
        """The document for these files."""
        return cls(digest=_digest(facts, objects), facts=facts, objects=objects)

    @property
    def version(self) -> RunVersion:
        """The entry in a list of versions."""
        return RunVersion(
            id=version_id(self.digest),
            digest=self.digest,
            bytes=sum(entry.bytes for entry in self.objects.values()),
            facts=self.facts,
        )


@dataclass(frozen=True)
class FoundRun:
    """A published version of a run: the place of its files, their list, and the name of the run."""

    place: Place
    document: PublishedRun
    name: str
    url: str
    """Of the run, without a version."""


def find_run(where: str) -> FoundRun:
    """Find the newest version of the run at a URL or folder, or the one that ``@1a2b…`` names.

    Raises :class:`RunError` if no run is published there, :class:`StoreNotFoundError` if there is no such
    version, :class:`StoreDamagedError` if a document is damaged or lists anything that is not a file of a
    run, and :class:`StorageError` if the place cannot be read.
    """
    url = _unversioned(where)
    wanted = None if url == where else split_version(where)[1]
    url = url.rstrip("/")
    place = place_at(url)
    published = read_versions_of(place, RunVersions)
    if published is None:
        raise _no_run(place)
    identity = find_version(published, wanted, place)
    version = place_at(f"{url}/{version_folder(identity)}")
    document = read_published(version)
    if version_id(document.digest) != identity:
        raise StoreDamagedError(f"{version} holds a run with another digest; do not use it")
    name = url.rpartition("/")[2]
    return FoundRun(version, document, name if is_run_name(name) else "run", url)


def is_published_run(where: str | Path) -> bool:
    """Whether a run is published at a URL or folder, in any version.

    Raises what reading the place raises.
    """
    place = place_at(split_version(str(where))[0])
    try:
        return read_versions_of(place, RunVersions) is not None
    except RunError:  # stores are published there
        return False


def read_published(place: Place) -> PublishedRun:
    """Read and check ``published.json`` of one version.

    Raises :class:`StoreDamagedError` if it is absent, damaged, or lists what is not a file of a run.
    """
    try:
        data = place.read(PUBLISHED, _MOST_DOCUMENT)
    except FileNotFoundError:
        raise StoreDamagedError(f"{place} has no {PUBLISHED}; {REPAIR}") from None
    document = parse_document(data, f"{place}/{PUBLISHED}", PublishedRun)
    require_possible(document, place)
    return document


def require_possible(document: PublishedRun, place: Place) -> None:
    """Check that a document has its own digest and lists only files that training writes, of possible sizes.

    Raises :class:`StoreDamagedError`.
    """
    if document.digest != _digest(document.facts, document.objects):
        raise StoreDamagedError(f"{place}/{PUBLISHED} does not match its own digest; {REPAIR}")
    if len(document.objects) > _MOST_FILES:
        raise _impossible(place, f"lists {len(document.objects):,} files")
    for name, entry in document.objects.items():
        if not _is_file_of_run(name):
            raise _impossible(place, f"lists {name[:100]!r}, which is not a file of a run")
        most = _MOST_BYTES if name.endswith(".safetensors") else _MOST_TEXT
        if entry.bytes > most:
            raise _impossible(
                place, f"declares {entry.bytes:,} bytes for {name!r}, but at most {most:,} are possible"
            )
    if HASHES not in document.objects:
        raise _impossible(place, f"lists no {HASHES}")


def store_beside(where: str, digest: str) -> str | None:
    """URL of the version of the store with ``digest`` that is published where the run at ``where`` is.

    None if there is none. Raises what reading the place raises.
    """
    place = _unversioned(where)
    address = place.rstrip("/") if is_url(place) else str(Path(place).resolve())
    folder, _, _ = address.rpartition("/")
    root, _, runs = folder.rpartition("/")
    if runs != RUNS or not root:
        return None
    published = read_versions(place_at(root))
    known = () if published is None else published.versions
    return next((f"{root}@{version.id}" for version in known if version.digest == digest), None)


def _unversioned(where: str) -> str:
    """A URL or folder without a version; the name of an existing folder may have an @."""
    return where if not is_url(where) and Path(where).exists() else split_version(where)[0]


def _digest(facts: RunFacts, objects: dict[str, StoredObject]) -> str:
    return canonical_digest(
        {
            "format_version": 1,
            "facts": facts.model_dump(mode="json"),
            "objects": {name: entry.model_dump() for name, entry in objects.items()},
        }
    )


def _is_file_of_run(name: str) -> bool:
    """Whether training writes a file of this name, in a run or in a fold of a series."""
    parts = PurePosixPath(name).parts
    if not name.isascii() or not name.isprintable() or "\\" in name or "/".join(parts) != name:
        return False
    within = parts[1:] if len(parts) > 1 and FOLD.fullmatch(parts[0]) else parts
    if not 1 <= len(within) <= 2 or ".." in within or within[0] == "/" or within[0].startswith("fold-"):
        return False
    inside = "/".join(within)
    return is_part(inside) and inside not in (RESUMED_FROM, PUBLISHED)


def _no_run(place: Place) -> SerError:
    """The error if no run is published at ``place``."""
    if place.size(STORE_JSON) is not None:
        return RunError(f"{place} is a feature store, not a run; pass it as --store")
    listed = read_run_list(place)
    if listed is not None and listed.runs:
        return RunError(f"{place} contains runs: give one, such as {place}/{RUNS}/{max(listed.runs)}")
    if isinstance(place, Folder) and not place.path.exists():
        return RunError(f"there is no run at {place}; check the name")
    if place.size("run.json") is not None or place.size("series.json") is not None:
        return RunError(f"the run at {place} is not published; publish it with `ser-features push RUN URL`")
    return RunError(f"no run is published at {place}; check the address")


def _impossible(place: Place, what: str) -> StoreDamagedError:
    return StoreDamagedError(f"{place}/{PUBLISHED} {what}; do not use this run")
