"""Recordings that a GitHub repository keeps in Git LFS.

The archive of the repository contains a pointer to each recording: its hash and size. The batch API returns
an address for each pointer (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from data.download.errors import DownloadError, PassingError
from data.download.safe_name import safe_path
from data.download.source import Address, Listing, RemoteFile
from data.download.web import Web, blocks

_MEDIA_TYPE = "application/vnd.git-lfs+json"
_MOST_ARCHIVE = 2**29
_MOST_BATCH = 8 * 2**20
_MOST_POINTER = 1024
_MOST_TABLE = 2**20
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


class _Download(BaseModel):
    href: str
    header: dict[str, str] = Field(default_factory=dict)


class _Actions(BaseModel):
    download: _Download | None = None


class _Fault(BaseModel):
    code: int = 0
    message: str = ""


class _Object(BaseModel):
    oid: str
    actions: _Actions = _Actions()
    error: _Fault | None = None


class _Batch(BaseModel):
    objects: list[_Object]


@dataclass(frozen=True)
class GitLfs:
    """The WAV files in ``folder`` on a branch of a repository, and the ``tables`` next to that folder."""

    repository: str
    branch: str
    folder: str
    tables: tuple[str, ...] = ()
    site: str = "https://github.com"
    archives: str = "https://codeload.github.com"
    at_once: int = 6

    def listing(self, web: Web, scratch: Path) -> Listing:
        """List the files, and keep the archive in ``scratch``."""
        archive = scratch / "repository.zip"
        if not archive.is_file():
            self._fetch(web, archive)
        try:
            return self._read(archive)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            archive.unlink()
            raise DownloadError(
                f"the archive of {self.repository} is damaged ({error}); run the same command again"
            ) from error

    def addresses(self, files: Sequence[RemoteFile], web: Web) -> tuple[Address, ...]:
        """Addresses of ``files``, by one request: :meth:`data.download.source.Publisher.addresses`."""
        url = f"{self.site}/{self.repository}.git/info/lfs/objects/batch"
        sizes = {file.key: file.size for file in files}
        request = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": oid, "size": size} for oid, size in sizes.items()],
        }
        headers = {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        try:
            batch = _Batch.model_validate(web.post_json(url, request, headers, _MOST_BATCH))
        except ValidationError as error:
            raise DownloadError(f"{url} did not return a Git LFS response; try again later") from error
        found = {each.oid: each for each in batch.objects}
        return tuple(_address(file, found.get(file.key)) for file in files)

    def _fetch(self, web: Web, archive: Path) -> None:
        """Fetch the archive, always from the start: it is made on demand, and its length is unknown."""
        url = f"{self.archives}/{self.repository}/zip/refs/heads/{self.branch}"
        partial = archive.with_suffix(".partial")

        def attempt() -> None:
            size = 0
            with web.open_response(url, {}) as response, partial.open("wb") as file:
                for block in blocks(response):
                    web.require_going()
                    size += len(block)
                    if size > _MOST_ARCHIVE:
                        raise DownloadError(
                            f"{url} has more than {_MOST_ARCHIVE:,} bytes; check it in a browser"
                        )
                    file.write(block)
            if not zipfile.is_zipfile(partial):
                raise PassingError("the archive is incomplete")

        web.persist(attempt, url)
        partial.replace(archive)

    def _read(self, archive: Path) -> Listing:
        files: dict[str, RemoteFile] = {}
        inline: dict[str, bytes] = {}
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                path = PurePosixPath(*PurePosixPath(info.filename).parts[1:])  # below the repository's name
                in_folder = str(path.parent) == self.folder and path.suffix.lower() == ".wav"
                if info.is_dir() or not (in_folder or str(path) in self.tables):
                    continue
                name = safe_path(str(path))
                if info.file_size > (_MOST_POINTER if in_folder else _MOST_TABLE):
                    raise DownloadError(
                        f"{name} in {self.repository} is not a Git LFS pointer; clone it with git-lfs"
                    )
                data = zipped.read(info)
                pointer = _POINTER.fullmatch(data)
                if pointer is not None:
                    oid = pointer[1].decode()
                    files[name] = RemoteFile(name, int(pointer[2]), f"sha256:{oid}", oid)
                elif in_folder:
                    raise DownloadError(
                        f"{name} in {self.repository} is not a Git LFS pointer; clone it with git-lfs"
                    )
                else:
                    inline[name] = data
        if not files or any(table not in {**files, **inline} for table in self.tables):
            raise DownloadError(
                f"{self.repository} no longer contains {self.folder} and {' and '.join(self.tables)}; check "
                f"the home page of the corpus"
            )
        return Listing(tuple(files[name] for name in sorted(files)), inline)


def _address(file: RemoteFile, answer: _Object | None) -> Address:
    download = answer.actions.download if answer is not None else None
    if download is None:
        fault = (
            answer.error if answer is not None and answer.error is not None else _Fault(message="no answer")
        )
        raise DownloadError(
            f"Git LFS refuses {file.path}: {fault.message} ({fault.code}); the quota of its owner may be "
            f"used up, try again tomorrow"
        )
    if urlsplit(download.href).scheme not in {"https", "http"}:
        raise DownloadError(
            f"Git LFS returned an address of {file.path} that is not a web address; try again later"
        )
    return Address(download.href, download.header)
