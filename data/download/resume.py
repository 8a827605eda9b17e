"""Downloader for pooch that resumes an interrupted file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from data.download.errors import DownloadError, PassingError
from data.download.source import Address, RemoteFile
from data.download.web import Web, blocks

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class ResumingDownloader:
    """Fetches a file into ``part``, continuing an existing part, and passes the complete file to pooch.

    ``on_bytes`` is called with the number of bytes received, or a negative number of bytes discarded. The
    ``ETag`` (or modification date) is kept next to the part and sent to the server as ``If-Range``. If the
    file has changed, or the server does not support ranges, it sends the whole file, and the part is
    replaced.
    """

    web: Web
    file: RemoteFile
    address: Address
    part: Path
    on_bytes: Callable[[int], None]

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:  # noqa: FBT001, FBT002 # pooch's signature
        """Fetch the file; pooch then verifies its checksum. Raises as
        :meth:`~data.download.web.Web.persist`.
        """
        del pooch, check_only
        self.web.persist(lambda: self._attempt(url), url)
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(Path(output_file))
        self._validator_file.unlink(missing_ok=True)

    def forget(self) -> None:
        """Discard the part."""
        self.on_bytes(-self._part_size())
        self.part.unlink(missing_ok=True)
        self._validator_file.unlink(missing_ok=True)

    @property
    def _validator_file(self) -> Path:
        return self.part.with_suffix(".validator")

    def _part_size(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    def _attempt(self, url: str) -> None:
        """Send one request. Raises :class:`PassingError` if another one may fetch the rest."""
        start = self._part_size()
        if start > self.file.size:
            self.forget()
            start = 0
        if start == self.file.size:
            self.part.touch()
            return
        headers = dict(self.address.headers)
        if start:
            headers["Range"] = f"bytes={start}-"
            if self._validator_file.is_file():
                headers["If-Range"] = self._validator_file.read_text(encoding="latin-1")
        with self.web.open_response(url, headers) as response:
            start = self._start_of(response, start)
            self._receive(response, start)

    def _start_of(self, response: requests.Response, start: int) -> int:
        """Offset at which the body of the response starts; a part that it does not continue is discarded."""
        if response.status_code == HTTPStatus.OK:
            if start:
                self.forget()
            self._require_length(response, self.file.size)
            self._keep_validator(response)
            return 0
        sent = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        continues = (
            response.status_code == HTTPStatus.PARTIAL_CONTENT
            and sent is not None
            and int(sent[1]) == start
            and sent[3] in {"*", str(self.file.size)}
        )
        if not continues:
            self.forget()
            raise PassingError("the server cannot resume the file; starting again", 0.0)
        self._require_length(response, self.file.size - start)
        return start

    def _require_length(self, response: requests.Response, wanted: int) -> None:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != wanted and "Content-Encoding" not in response.headers:
            self.forget()
            raise DownloadError(
                f"the server sends {int(length):,} bytes for {self.file.path}, but its list of files says "
                f"{wanted:,}; try again later, or download it from the home page"
            )

    def _keep_validator(self, response: requests.Response) -> None:
        """Keep a strong ETag or a date, which identify the bytes of a response (RFC 9110, 13.1.5)."""
        etag = response.headers.get("ETag", "")
        validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        if validator:
            self._validator_file.write_text(validator, encoding="latin-1", errors="replace")
        else:
            self._validator_file.unlink(missing_ok=True)

    def _receive(self, response: requests.Response, start: int) -> None:
        done = start
        try:
            with self.part.open("ab" if start else "wb") as file:
                for block in blocks(response):
                    self.web.require_going()
                    done += len(block)
                    if done > self.file.size:
                        break
                    file.write(block)
                    self.on_bytes(len(block))
        except PassingError as error:
            raise PassingError(str(error), progressed=done > start) from error
        if done > self.file.size:
            self.forget()
            raise DownloadError(
                f"the server sends more than the {self.file.size:,} bytes of {self.file.path} in its list of "
                f"files; try again later, or download it from the home page"
            )
        if done < self.file.size:
            raise PassingError("the connection broke", progressed=done > start)
