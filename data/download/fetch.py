"""Fetches all files of a listing, several at a time. Pooch verifies the checksum of each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import pooch

from data.download.errors import DownloadError
from data.download.resume import ResumingDownloader
from data.download.source import Address, Listing, Publisher, RemoteFile
from data.download.staging import Staging
from data.download.web import Web

FILES_PER_REQUEST = 100
"""Files whose addresses are requested together, as an address is valid for only minutes."""


class ByteCounter:
    """Counts received bytes over all threads; ``report`` is called with (bytes done, total bytes)."""

    def __init__(self, done: int, total: int, report: Callable[[int, int], None]) -> None:
        self._lock = threading.Lock()
        self._total = total
        self._report = report
        self.done = done
        report(done, total)

    def add(self, count: int) -> None:
        """Add received bytes; a negative count means discarded bytes."""
        with self._lock:
            self.done += count
            self._report(self.done, self._total)


def fetch_all(
    publisher: Publisher, listing: Listing, staging: Staging, web: Web, counter: ByteCounter
) -> None:
    """Fetch every missing file of the listing into ``staging``.

    Raises :class:`DownloadError` for the first file that cannot be fetched; received parts are kept.
    """
    pooch.get_logger().setLevel(logging.WARNING)
    missing = [file for file in listing.files if not staging.has(file)]
    pool = ThreadPoolExecutor(publisher.at_once)
    try:
        for group in _groups(missing):
            addresses = publisher.addresses(group, web)
            tasks = [
                pool.submit(_fetch, _Task(file, address, staging, web, counter))
                for file, address in zip(group, addresses, strict=True)
            ]
            wait(tasks, return_when=FIRST_EXCEPTION)
            for task in tasks:
                if task.done():
                    task.result()
    except BaseException:
        web.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _groups(files: Sequence[RemoteFile]) -> list[tuple[RemoteFile, ...]]:
    return [
        tuple(files[first : first + FILES_PER_REQUEST]) for first in range(0, len(files), FILES_PER_REQUEST)
    ]


@dataclass(frozen=True)
class _Task:
    file: RemoteFile
    address: Address
    staging: Staging
    web: Web
    counter: ByteCounter


def _fetch(task: _Task) -> None:
    """Fetch one file, again if its checksum is wrong: the part may be from an older version of the file."""
    file, staging = task.file, task.staging
    part = staging.part_of(file)
    downloader = ResumingDownloader(task.web, file, task.address, part, task.counter.add)
    for is_last in (False, True):
        try:
            whole = pooch.retrieve(
                task.address.url, file.checksum, fname=part.stem, path=staging.checked, downloader=downloader
            )
        except ValueError as error:  # pooch reports a wrong checksum this way, and removes the file
            task.counter.add(-file.size)
            if is_last:
                raise DownloadError(
                    f"{file.path} was downloaded twice, but never with the checksum that its publisher "
                    f"announces ({file.checksum}); try again later, or download it from the home page"
                ) from error
        else:
            staging.take(Path(whole), file)
            return
