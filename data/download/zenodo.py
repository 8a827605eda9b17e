"""Zenodo records: files and MD5 checksums from its REST API (https://developers.zenodo.org)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from data.download.errors import DownloadError
from data.download.safe_name import safe_path
from data.download.source import Address, Listing, RemoteFile
from data.download.web import Web

_MOST_BYTES = 4 * 2**20


class _ZenodoFile(BaseModel):
    key: str
    size: int = Field(ge=0)
    checksum: str = Field(pattern="^md5:[0-9a-f]{32}$")


class _ZenodoRecord(BaseModel):
    files: list[_ZenodoFile]


@dataclass(frozen=True)
class Zenodo:
    """One file of a record. A record is one version, which Zenodo never changes."""

    record: int
    wanted: str
    base: str = "https://zenodo.org"
    at_once: int = 1

    def listing(self, web: Web, scratch: Path) -> Listing:
        """List the files: :meth:`data.download.source.Publisher.listing`."""
        del scratch
        url = f"{self.base}/api/records/{self.record}"
        try:
            record = _ZenodoRecord.model_validate(web.read_json(url, _MOST_BYTES))
        except ValidationError as error:
            raise DownloadError(
                f"{url} did not return a Zenodo record in a known format; try again later"
            ) from error
        found = [file for file in record.files if file.key == self.wanted]
        if not found:
            raise DownloadError(f"{url} does not list {self.wanted}; check the home page of the corpus")
        file = found[0]
        return Listing((RemoteFile(safe_path(file.key), file.size, file.checksum, file.key),))

    def addresses(self, files: Sequence[RemoteFile], web: Web) -> tuple[Address, ...]:
        """Addresses of ``files``: :meth:`data.download.source.Publisher.addresses`."""
        del web
        folder = f"{self.base}/api/records/{self.record}/files"
        return tuple(Address(f"{folder}/{quote(file.key)}/content") for file in files)
