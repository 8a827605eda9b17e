"""Downloads the weights of an encoder: their folder appears only when it is complete and verified."""

from __future__ import annotations

import shutil
from pathlib import Path

from data.download.download import Counters
from data.download.errors import DownloadError
from data.download.fetch import ByteCounter, fetch_all
from data.download.hub import Hub
from data.download.source import Listing
from data.download.staging import Staging, open_staging, write_synced
from data.download.web import Web
from schemas.errors import StoppedError


def list_encoder(hub: Hub, web: Web) -> Listing:
    """The files of an encoder's weights. Raises :class:`DownloadError`."""
    return hub.listing(web, Path())


def download_encoder(
    name: str, hub: Hub, listing: Listing, models: Path, web: Web, counters: Counters
) -> Path:
    """Download the weights that ``listing`` lists to ``models/name``, or resume; returns that folder.

    Raises :class:`DownloadError`, :class:`StoppedError` after Ctrl-C, and OSError if the disk is full or
    refuses access.
    """
    models.mkdir(parents=True, exist_ok=True)
    with open_staging(name, models) as staging:
        try:
            return _download(name, hub, listing, staging, models / name, web, counters)
        except KeyboardInterrupt as error:
            raise StoppedError(
                f"stopped; {staging.bytes_on_disk() / 1e6:,.1f} MB of {name} are kept in '{staging.root}'; "
                f"run the same command again to resume"
            ) from error


def _download(
    name: str, hub: Hub, listing: Listing, staging: Staging, folder: Path, web: Web, counters: Counters
) -> Path:
    total = sum(file.size for file in listing.files)
    present = sum(map(staging.bytes_of, listing.files))
    free = shutil.disk_usage(folder.parent).free
    if total - present > free:
        raise DownloadError(
            f"{name} needs {(total - present) / 1e6:,.0f} MB more under '{folder.parent}', but only "
            f"{free / 1e6:,.0f} MB are free; free some space, or set SER_MODELS to another folder"
        )
    with counters.counter(f"download {name}", "bytes") as report:
        fetch_all(hub, listing, staging, web, ByteCounter(present, total, report))
    for path, data in listing.inline.items():
        write_synced(staging.tree / path, data)
    staging.move_to(folder)
    return folder
