"""A corpus from its publisher to its folder: whole, checked, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, Field, ValidationError

from data.corpus import Corpus
from data.download.errors import DownloadError
from data.download.fetch import Tally, fetch_all
from data.download.offers import Offer
from data.download.source import Listing
from data.download.staging import Staging, staging_of
from data.download.unpack import unpack, unpacked_size
from data.download.web import Web
from data.locate import locate
from data.recognise import recognise
from schemas.clip import Scan
from schemas.errors import CorpusNotFoundError, StoppedError

RECEIPT = ".download.json"
"""Hidden file in a downloaded corpus: what was downloaded, so that it is known later whether all is there."""


class Counters(Protocol):
    """Opens counters for somebody who watches; :class:`featurestore.cli.console.ConsoleProgress` is one."""

    def counter(self, description: str, unit: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Open a counter: the context gives a function of (done, in all)."""


class Receipt(BaseModel):
    """What :data:`RECEIPT` holds."""

    corpus: str
    home_page: str
    licence: str
    files: dict[str, str]
    """Path → checksum of what came."""
    bytes: int = Field(ge=0)
    clips: int = Field(ge=0)


@dataclass(frozen=True)
class Downloaded:
    """A corpus that is there.

    ``fetched_bytes`` : of this call; 0 where everything was there before.
    """

    corpus: Corpus
    scan: Scan
    fetched_bytes: int
    was_there: bool


def find_complete(corpus: Corpus, corpora: Path) -> Downloaded | None:
    """The corpus under ``corpora``, where it is there with all its clips; None where nothing is.

    Raises :class:`DownloadError` for a folder of it that lacks clips: it may be somebody's own selection.
    """
    try:
        ((_, folder),) = locate(corpus.name, corpora).found
    except CorpusNotFoundError:
        _require_free(corpus, corpora)
        return None
    scan = corpus.scan(folder)
    expected = corpus.expected_clips or 0
    if len(scan.clips) >= min(expected, _promised(folder, expected)):
        return Downloaded(corpus, scan, 0, was_there=True)
    raise DownloadError(
        f"'{folder}' holds {len(scan.clips):,} of {expected:,} clips of {corpus.name}; move it elsewhere and "
        f"run the same command again to download all of them"
    )


def _require_free(corpus: Corpus, corpora: Path) -> None:
    """Refuse, before anything is fetched, a place where the corpus could not come to lie."""
    folder = corpora / corpus.name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DownloadError(
            f"'{folder}' is in the way, and holds no recording of {corpus.name}; move it and run the same "
            f"command again"
        )
    if corpora.is_dir() and recognise(corpora) == corpus.name:
        raise DownloadError(
            f"'{corpora}' looks like the folder of {corpus.name} itself; give the one above it as --corpora"
        )


def download(offer: Offer, corpora: Path, web: Web, counters: Counters) -> Downloaded:
    """Bring a corpus to ``corpora/<name>``, or go on with that; nothing is done where it is there.

    The folder gets its name when everything in it is checked, unpacked and synced. Raises
    :class:`DownloadError`, :class:`StoppedError` after Ctrl-C, and OSError where the disk refuses.
    """
    corpora.mkdir(parents=True, exist_ok=True)
    there = find_complete(offer.corpus, corpora)
    if there is not None:
        return there
    with staging_of(offer.corpus.name, corpora) as staging:
        there = find_complete(offer.corpus, corpora)
        if there is not None:  # another process was done just now
            shutil.rmtree(staging.root, ignore_errors=True)
            return there
        try:
            return _download(offer, staging, corpora / offer.corpus.name, web, counters)
        except KeyboardInterrupt as error:
            raise StoppedError(
                f"stopped; {staging.arrived() / 1e6:,.1f} MB of {offer.corpus.name} are kept in "
                f"'{staging.root}': run the same command again to go on from there"
            ) from error


def _download(offer: Offer, staging: Staging, folder: Path, web: Web, counters: Counters) -> Downloaded:
    corpus = offer.corpus
    listing = offer.source.listing(web, staging.root)
    total = sum(file.size for file in listing.files)
    there = sum(map(staging.come, listing.files))
    archived = any(file.is_archive for file in listing.files)
    unpacked = max(offer.about_unpacked_bytes - offer.about_bytes, 0) if archived else 0
    _require_room(folder.parent, corpus.name, total - there + unpacked)
    with counters.counter(f"download {corpus.name}", "bytes") as report:
        fetch_all(offer.source, listing, staging, web, Tally(there, total, report))
    _unpack(listing, staging, web, counters)
    for path, data in listing.inline.items():
        _write_synced(staging.tree / path, data)
    scan = corpus.scan(staging.tree)
    if not scan.clips:
        raise DownloadError(
            f"what {corpus.home_page} gives holds no clip of {corpus.name}; it has changed, so look there "
            f"yourself, and remove '{staging.root}'"
        )
    receipt = Receipt(
        corpus=corpus.name,
        home_page=corpus.home_page,
        licence=corpus.licence,
        files={file.path: file.checksum for file in listing.files},
        bytes=total,
        clips=len(scan.clips),
    )
    _write_synced(staging.tree / RECEIPT, f"{receipt.model_dump_json(indent=1)}\n".encode())
    staging.become(folder)
    return Downloaded(corpus, corpus.scan(folder), total - there, was_there=False)


def _unpack(listing: Listing, staging: Staging, web: Web, counters: Counters) -> None:
    """Unpack the archives, from the start each time: of an unpacking that was killed nothing is certain."""
    archives = [staging.place_of(file) for file in listing.files if file.is_archive]
    if not archives:
        return
    if all(file.is_archive for file in listing.files):
        shutil.rmtree(staging.tree)
        staging.tree.mkdir()
    _require_room(staging.root, staging.root.name.split(".")[1], sum(map(unpacked_size, archives)))
    with counters.counter("unpack", "archives") as report:
        for done, archive in enumerate(archives):
            report(done, len(archives))
            unpack(archive, staging.tree, web.require_going)
        report(len(archives), len(archives))


def _write_synced(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _require_room(folder: Path, name: str, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{name} needs {needed / 1e6:,.0f} MB more under '{folder}', and {free / 1e6:,.0f} MB are free; "
            f"free some space, or give another --corpora"
        )


def _promised(folder: Path, expected: int) -> int:
    """Clips that a download of this command brought here; ``expected`` where it was not this command."""
    try:
        return Receipt.model_validate_json((folder / RECEIPT).read_bytes()).clips
    except (OSError, ValidationError):
        return expected
