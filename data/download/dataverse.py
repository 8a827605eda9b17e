"""Data sets of a Dataverse such as Borealis: files and checksums from its native API.

The API: https://guides.dataverse.org/en/latest/api/native-api.html.
"""

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
from data.files import is_audio

_MOST_BYTES = 64 * 2**20
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


class _Checksum(BaseModel):
    type: str
    value: str = Field(pattern="^[0-9a-fA-F]+$")


class _DataFile(BaseModel):
    id: int
    filesize: int = Field(ge=0)
    checksum: _Checksum | None = None
    md5: str | None = Field(None, pattern="^[0-9a-fA-F]{32}$")


class _DataverseEntry(BaseModel):
    label: str
    directoryLabel: str = ""  # noqa: N815 # the API's spelling
    restricted: bool = False
    dataFile: _DataFile  # noqa: N815


class _DataverseVersion(BaseModel):
    files: list[_DataverseEntry]


class _DataverseAnswer(BaseModel):
    data: _DataverseVersion


@dataclass(frozen=True)
class Dataverse:
    """The recordings and archives in the latest published version of a data set."""

    persistent_id: str
    base: str = "https://borealisdata.ca"
    at_once: int = 4

    def listing(self, web: Web, scratch: Path) -> Listing:
        """List the files: :meth:`data.download.source.Publisher.listing`."""
        del scratch
        url = (
            f"{self.base}/api/datasets/:persistentId/versions/:latest-published"
            f"?persistentId={quote(self.persistent_id, safe='')}"
        )
        try:
            answer = _DataverseAnswer.model_validate(web.read_json(url, _MOST_BYTES))
        except ValidationError as error:
            raise DownloadError(
                f"{url} did not return a Dataverse data set in a known format; try again later"
            ) from error
        files = tuple(_remote_file(entry) for entry in answer.data.files if _is_wanted(entry))
        if not files:
            raise DownloadError(f"{url} lists no recordings; check the home page of the corpus")
        return Listing(files)

    def addresses(self, files: Sequence[RemoteFile], web: Web) -> tuple[Address, ...]:
        """Addresses of ``files``: :meth:`data.download.source.Publisher.addresses`."""
        del web
        # Without format=original, which only tables have: for a recording the server returns 404.
        return tuple(Address(f"{self.base}/api/access/datafile/{file.key}") for file in files)


def _is_wanted(entry: _DataverseEntry) -> bool:
    return is_audio(entry.label) or entry.label.lower().endswith(".zip")


def _remote_file(entry: _DataverseEntry) -> RemoteFile:
    path = safe_path(f"{entry.directoryLabel.strip('/')}/{entry.label}".lstrip("/"))
    if entry.restricted:
        raise DownloadError(
            f"the publisher has restricted access to {path}; request it on the home page of the corpus"
        )
    return RemoteFile(path, entry.dataFile.filesize, _checksum(entry.dataFile, path), str(entry.dataFile.id))


def _checksum(file: _DataFile, path: str) -> str:
    if file.checksum is not None:
        kind = file.checksum.type.lower().replace("-", "")
        if _DIGITS.get(kind) == len(file.checksum.value):
            return f"{kind}:{file.checksum.value.lower()}"
    elif file.md5 is not None:
        return f"md5:{file.md5.lower()}"
    raise DownloadError(
        f"the publisher gives no supported checksum for {path}; download it from the home page of the corpus"
    )
