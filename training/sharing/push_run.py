"""Publish a run or series at a URL as an immutable version, next to the store that it was trained on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.documents import StoredObject, document_bytes
from featurestore.format.layout import RUN_LIST
from featurestore.format.run_versions import (
    RunFacts,
    RunList,
    RunVersions,
    is_run_name,
    read_run_list,
    run_folder,
)
from featurestore.format.versions import Versions, read_versions, version_folder, version_id
from featurestore.places.choose import place_at
from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.progress import Progress, Silent
from featurestore.sharing.part_place import PartPlace
from featurestore.sharing.publication import Publication
from featurestore.sharing.publish import change_list, publish
from featurestore.sharing.push import require_publishable, require_unversioned
from featurestore.sharing.sending import Sending
from schemas.errors import RunError, StoppedError, UsageError
from training.predict.worth import Worth
from training.runs.hashes import HASHES, PUBLISHED, RESUMED_FROM, hashes_bytes, read_hashes
from training.runs.matrix import MatrixFolder
from training.runs.published import PublishedRun, read_published, require_possible
from training.runs.request import resume_command
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder


@dataclass(frozen=True)
class RunPushReport:
    """What was published; bytes as in :class:`featurestore.sharing.push.PushReport`."""

    run: str
    url: str
    """Of the run: what others give to ser-predict."""
    version: str
    digest: str
    store: str
    """Digest of the run's store."""
    store_version: str | None
    """The version of the store that is published at the same place; None: the store is elsewhere."""
    objects: int
    bytes_sent: int
    bytes_reused: int
    bytes_there: int
    versions: int
    seconds: float


def push_run(run: Path, url: str | Path, progress: Progress | None = None) -> RunPushReport:
    """Publish the finished run or series at ``run`` as ``URL/runs/NAME``, named after its folder.

    A fold of a series and a run of a matrix have both names: ``SERIES-fold-1``.

    All files that ``hashes.json`` lists are published, except the checkpoint from which training resumes. As
    for stores, files go to ``versions/<id>/`` first, the list of them follows, and the lists of versions and
    of runs come last. What is already there is not sent again. Another run of the same name becomes another
    version.

    Raises :class:`UsageError` for a matrix, if the place holds something else or the folder's name cannot be
    part of a URL,
    :class:`RunError` if the run is not finished or has no hashes, :class:`StoreDamagedError`, naming the
    file, if a file has changed (nothing is published then), :class:`StorageError`, and :class:`StoppedError`
    after Ctrl-C.
    """
    progress, started = progress or Silent(), time.monotonic()
    require_single(run, "push")
    root = require_place(url)
    name = _name_of(run)
    source, document = _list_files(run)
    address = f"{str(url).rstrip('/')}/{run_folder(name)}"
    place = place_at(address)
    published = require_publishable(place, RunVersions)
    publication = Publication(
        source,
        document,
        PUBLISHED,
        document_bytes(document),
        read_published,
        "restore it from a copy, or train again",
    )
    sending = Sending(publication, address, version_folder(version_id(document.digest)))
    try:
        with storage_errors(root):
            sending.send(published, progress)
            versions = publish(place, document.version, RunVersions)
            change_list(root, RUN_LIST, lambda: read_run_list(root), lambda old: _with(old, name, document))
            stores = read_versions(root)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; this run is not published at {root} yet: run the same command again to resume"
        ) from None
    return RunPushReport(
        run=str(run),
        url=str(place),
        version=version_id(document.digest),
        digest=document.digest,
        store=document.facts.store,
        store_version=_version_of(stores, document.facts.store),
        objects=len(document.objects),
        bytes_sent=sending.sent,
        bytes_reused=sending.reused,
        bytes_there=sending.there,
        versions=len(versions.versions),
        seconds=time.monotonic() - started,
    )


def require_place(url: str | Path) -> Place:
    """The place to push a run to, checked before anything is computed.

    Raises :class:`UsageError` if it holds something else, and :class:`StorageError` if it is read-only.
    """
    root = require_unversioned(url)
    require_publishable(root, Versions)
    return root


def require_single(run: Path | None, what: str, *, matrix: bool = False) -> None:
    """Raise :class:`UsageError` for a matrix, existing or wanted: its runs are published one by one.

    ``what`` : the option or command that publishes, for the sentence.
    """
    if run is not None and MatrixFolder.is_one(run):
        cells = sorted(each.parent for each in run.glob("cell-*/run.json"))
        which = cells[0] if cells else run / "cell-01-…"
    elif matrix:
        which = Path("MATRIX/cell-01-…")
    else:
        return
    raise UsageError(
        f"{what}: a matrix is not published as a whole; publish the folder of each run, such as "
        f"`ser-features push {which} URL`"
    )


def is_run(path: str | Path) -> bool:
    """Whether a path is the folder of a run, a series or a matrix."""
    return (
        (Path(path) / "run.json").is_file()
        or SeriesFolder.is_one(Path(path))
        or MatrixFolder.is_one(Path(path))
    )


def _name_of(run: Path) -> str:
    folder = run.resolve()
    is_part = SeriesFolder.is_one(folder.parent) or MatrixFolder.is_one(folder.parent)
    name = f"{folder.parent.name}-{folder.name}" if is_part else folder.name
    if not is_run_name(name):
        raise UsageError(
            f"the name of the folder {run} cannot be part of a URL; rename it: letters, digits and - _ . + "
            f"are possible"
        )
    return name


def _list_files(run: Path) -> tuple[Place, PublishedRun]:
    """The files of a run or series as a place, and their list."""
    facts = _facts_of(run)
    lists: dict[str, bytes] = {}
    objects: dict[str, StoredObject] = {}
    for folder, prefix in _folders(run):
        files = read_hashes(folder)
        if files is None:
            raise RunError(
                f"{folder} carries no hashes: an older version trained it; resume it once to write them: "
                f"{resume_command(folder, None)}"
            )
        kept = {name: entry for name, entry in files.items() if name != RESUMED_FROM}
        lists[f"{prefix}{HASHES}"] = hashes_bytes(kept)
        objects |= {f"{prefix}{name}": entry for name, entry in kept.items()}
    source = PartPlace(Folder(run), {name: name for name in objects})
    for name, content in lists.items():
        source.write(name, content)
        objects[name] = StoredObject.of(content)
    document = PublishedRun.of(facts, dict(sorted(objects.items())))
    require_possible(document, source)
    return source, document


def _folders(run: Path) -> Iterator[tuple[Path, str]]:
    """The folder of a run, or those of a series and its folds, and the start of the names of their files."""
    yield run, ""
    if SeriesFolder.is_one(run):
        series = SeriesFolder(run)
        for number in range(1, len(series.record().folds) + 1):
            fold = series.fold(number)
            yield fold, f"{fold.name}/"


def _facts_of(run: Path) -> RunFacts:
    is_series = SeriesFolder.is_one(run)
    record = SeriesFolder(run).record() if is_series else RunFolder.find(run).record()
    worth = Worth.of(run)
    if worth is None:
        kind = "series" if is_series else "run"
        raise RunError(
            f"the {kind} {run} is not finished, so it cannot be published; finish it with "
            f"{resume_command(run, None)}"
        )
    return RunFacts(
        kind="series" if is_series else "run",
        created=record.created,
        store=record.store_digest,
        model=record.recipe.model.name,
        tested=worth.claim.title[:200],
        headline=worth.headline,
        value=worth.value,
    )


def _with(before: RunList | None, name: str, document: PublishedRun) -> RunList:
    runs = {} if before is None else before.runs
    return RunList(runs=dict(sorted({**runs, name: document.version}.items())))


def _version_of(stores: Versions | None, digest: str) -> str | None:
    known = () if stores is None else stores.versions
    return next((version.id for version in known if version.digest == digest), None)
