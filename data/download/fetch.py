"""All files of a listing, some at the same time, each checked against its checksum by pooch."""

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
from data.download.source import Address, Listing, RemoteFile, Source
from data.download.staging import Staging
from data.download.web import Web

GROUP = 100
"""Files whose addresses are asked for together: an address holds for minutes only."""


class Tally:
    """Bytes that have come, over all threads; ``report`` gets (bytes done, bytes in all)."""

    def __init__(self, done: int, total: int, report: Callable[[int, int], None]) -> None:
        self._lock = threading.Lock()
        self._total = total
        self._report = report
        self.done = done
        report(done, total)

    def add(self, count: int) -> None:
        """Count bytes that came, or, negative, that were thrown away."""
        with self._lock:
            self.done += count
            self._report(self.done, self._total)


def fetch_all(source: Source, listing: Listing, staging: Staging, web: Web, tally: Tally) -> None:
    """Bring every file of the listing that is not there yet to its place in ``staging``.

    Raises :class:`DownloadError` for the first file that cannot be had; what has come stays.
    """
    pooch.get_logger().setLevel(logging.WARNING)
    missing = [file for file in listing.files if not staging.has(file)]
    pool = ThreadPoolExecutor(source.at_once)
    try:
        for group in _groups(missing):
            addresses = source.addresses(group, web)
            tasks = [
                pool.submit(_fetch, _Task(file, address, staging, web, tally))
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
    return [tuple(files[first : first + GROUP]) for first in range(0, len(files), GROUP)]


@dataclass(frozen=True)
class _Task:
    file: RemoteFile
    address: Address
    staging: Staging
    web: Web
    tally: Tally


def _fetch(task: _Task) -> None:
    """One file. A wrong checksum may come from a part of an older file, so that it is fetched once more."""
    file, staging = task.file, task.staging
    part = staging.part_of(file)
    downloader = ResumingDownloader(task.web, file, task.address, part, task.tally.add)
    for last in (False, True):
        try:
            whole = pooch.retrieve(
                task.address.url, file.checksum, fname=part.stem, path=staging.checked, downloader=downloader
            )
        except ValueError as error:  # pooch's word for a checksum that does not fit; it has removed the file
            task.tally.add(-file.size)
            if last:
                raise DownloadError(
                    f"{file.path} came twice with another checksum than its publisher announces "
                    f"({file.checksum}); try again later, or get it from the home page"
                ) from error
        else:
            staging.take(Path(whole), file)
            return
