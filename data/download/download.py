"""Downloads a corpus from its publisher: its folder appears only when it is complete and verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, Field, ValidationError

from data.corpus import Corpus
from data.download.errors import DownloadError
from data.download.fetch import ByteCounter, fetch_all
from data.download.offers import Offer
from data.download.source import Listing
from data.download.staging import Staging, open_staging, write_synced
from data.download.unpack import unpack, unpacked_size
from data.download.web import Web
from data.locate import locate
from data.recognise import recognise
from schemas.clip import Scan
from schemas.errors import CorpusNotFoundError, StoppedError

RECEIPT = ".download.json"
"""Hidden file in a downloaded corpus that records what was downloaded, to check later that it is complete."""


class Counters(Protocol):
    """Shows progress to the user, such as :class:`featurestore.cli.console.ConsoleProgress`."""

    def counter(self, description: str, unit: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Open a counter. The context manager yields a function of (done, total)."""


class Receipt(BaseModel):
    """Content of :data:`RECEIPT`."""

    corpus: str
    home_page: str
    licence: str
    files: dict[str, str]
    """Checksum of each downloaded file, by path."""
    bytes: int = Field(ge=0)
    clips: int = Field(ge=0)


@dataclass(frozen=True)
class Downloaded:
    """A corpus that is present.

    ``fetched_bytes`` : bytes downloaded by this call; 0 if the corpus was complete before.
    """

    corpus: Corpus
    scan: Scan
    fetched_bytes: int
    was_there: bool


def find_complete(corpus: Corpus, corpora: Path) -> Downloaded | None:
    """The corpus under ``corpora`` if it is present with all its clips; None if it is absent.

    Raises :class:`DownloadError` if its folder lacks clips, which may be the user's own selection.
    """
    try:
        ((_, folder),) = locate(corpus.name, corpora).found
    except CorpusNotFoundError:
        _require_free(corpus, corpora)
        return None
    scan = corpus.scan(folder)
    expected = corpus.expected_clips or 0
    if len(scan.clips) >= min(expected, _clips_on_receipt(folder, expected)):
        return Downloaded(corpus, scan, 0, was_there=True)
    raise DownloadError(
        f"'{folder}' contains {len(scan.clips):,} of {expected:,} clips of {corpus.name}; move it elsewhere "
        f"and run the same command again to download all clips"
    )


def _require_free(corpus: Corpus, corpora: Path) -> None:
    """Raise :class:`DownloadError`, before anything is fetched, if the corpus could not be put there."""
    folder = corpora / corpus.name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DownloadError(
            f"'{folder}' exists, but contains no recordings of {corpus.name}; move it and run the same "
            f"command again"
        )
    if corpora.is_dir() and recognise(corpora) == corpus.name:
        raise DownloadError(
            f"'{corpora}' looks like the folder of {corpus.name} itself; give its parent folder as --corpora"
        )


def download(offer: Offer, corpora: Path, web: Web, counters: Counters) -> Downloaded:
    """Download a corpus to ``corpora/<name>``, or resume its download. An existing corpus is left as it is.

    The folder gets its final name when everything in it is verified, unpacked and synced. Raises
    :class:`DownloadError`, :class:`StoppedError` after Ctrl-C, and OSError if the disk is full or refuses
    access.
    """
    corpora.mkdir(parents=True, exist_ok=True)
    existing = find_complete(offer.corpus, corpora)
    if existing is not None:
        return existing
    with open_staging(offer.corpus.name, corpora) as staging:
        existing = find_complete(offer.corpus, corpora)
        if existing is not None:  # another process has just finished
            shutil.rmtree(staging.root, ignore_errors=True)
            return existing
        try:
            return _download(offer, staging, corpora / offer.corpus.name, web, counters)
        except KeyboardInterrupt as error:
            raise StoppedError(
                f"stopped; {staging.bytes_on_disk() / 1e6:,.1f} MB of {offer.corpus.name} are kept in "
                f"'{staging.root}'; run the same command again to resume"
            ) from error


def _download(offer: Offer, staging: Staging, folder: Path, web: Web, counters: Counters) -> Downloaded:
    corpus = offer.corpus
    listing = offer.publisher.listing(web, staging.root)
    total = sum(file.size for file in listing.files)
    present = sum(map(staging.bytes_of, listing.files))
    archived = any(file.is_archive for file in listing.files)
    unpacked = max(offer.about_unpacked_bytes - offer.about_bytes, 0) if archived else 0
    _require_room(folder.parent, corpus.name, total - present + unpacked)
    with counters.counter(f"download {corpus.name}", "bytes") as report:
        fetch_all(offer.publisher, listing, staging, web, ByteCounter(present, total, report))
    _unpack(listing, staging, web, counters)
    for path, data in listing.inline.items():
        write_synced(staging.tree / path, data)
    scan = corpus.scan(staging.tree)
    if not scan.clips:
        raise DownloadError(
            f"the download from {corpus.home_page} contains no clips of {corpus.name}; the publisher may "
            f"have changed it: check that page, and remove '{staging.root}'"
        )
    receipt = Receipt(
        corpus=corpus.name,
        home_page=corpus.home_page,
        licence=corpus.licence,
        files={file.path: file.checksum for file in listing.files},
        bytes=total,
        clips=len(scan.clips),
    )
    write_synced(staging.tree / RECEIPT, f"{receipt.model_dump_json(indent=1)}\n".encode())
    staging.move_to(folder)
    return Downloaded(corpus, corpus.scan(folder), total - present, was_there=False)


def _unpack(listing: Listing, staging: Staging, web: Web, counters: Counters) -> None:
    """Unpack the archives, always from the start: files of a killed unpacking may be incomplete."""
    archives = [staging.path_of(file) for file in listing.files if file.is_archive]
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


def _require_room(folder: Path, name: str, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{name} needs {needed / 1e6:,.0f} MB more under '{folder}', but only {free / 1e6:,.0f} MB are "
            f"free; free some space, or give another --corpora"
        )


def _clips_on_receipt(folder: Path, expected: int) -> int:
    """Number of clips in the receipt of a download; ``expected`` if there is no receipt."""
    try:
        return Receipt.model_validate_json((folder / RECEIPT).read_bytes()).clips
    except (OSError, ValidationError):
        return expected
