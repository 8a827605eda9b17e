"""One file from the web that goes on where it was interrupted: the downloader that pooch is given."""

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
    """Fetches a file into ``part``, going on with what is there, and hands it to pooch once it is whole.

    ``arrived`` is called with the bytes that came, negative where some had to be thrown away. An ``ETag`` (or
    date of change) that is kept beside the part goes back to the server as ``If-Range``: where the file is
    another one by now, or the server knows no ranges, it sends the whole, and the part is begun anew.
    """

    web: Web
    file: RemoteFile
    address: Address
    part: Path
    arrived: Callable[[int], None]

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:  # noqa: FBT001, FBT002 # pooch's signature
        """Fetch; pooch compares the checksum afterwards. Raises as :meth:`data.download.web.Web.persist`."""
        del pooch, check_only
        self.web.persist(lambda: self._attempt(url), url)
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(Path(output_file))
        self._validator_file.unlink(missing_ok=True)

    def forget(self) -> None:
        """Throw away what has come."""
        self.arrived(-self._there())
        self.part.unlink(missing_ok=True)
        self._validator_file.unlink(missing_ok=True)

    @property
    def _validator_file(self) -> Path:
        return self.part.with_suffix(".validator")

    def _there(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    def _attempt(self, url: str) -> None:
        """One request. Raises :class:`PassingError` where the rest is worth another."""
        start = self._there()
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
        with self.web.answer(url, headers) as response:
            start = self._begin(response, start)
            self._receive(response, start)

    def _begin(self, response: requests.Response, start: int) -> int:
        """Where in the file the answer's body begins; a part that it does not continue is thrown away."""
        if response.status_code == HTTPStatus.OK:
            if start:
                self.forget()
            self._require_length(response, self.file.size)
            self._keep_validator(response)
            return 0
        said = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        continues = (
            response.status_code == HTTPStatus.PARTIAL_CONTENT
            and said is not None
            and int(said[1]) == start
            and said[3] in {"*", str(self.file.size)}
        )
        if not continues:
            self.forget()
            raise PassingError("the server cannot go on where it was; from the start", 0.0)
        self._require_length(response, self.file.size - start)
        return start

    def _require_length(self, response: requests.Response, wanted: int) -> None:
        said = response.headers.get("Content-Length", "")
        if said.isdecimal() and int(said) != wanted and "Content-Encoding" not in response.headers:
            self.forget()
            raise DownloadError(
                f"the server sends {int(said):,} bytes as {self.file.path}, its list of files says {wanted:,}"
                f"; try again later, or get it from the home page"
            )

    def _keep_validator(self, response: requests.Response) -> None:
        """Only a strong ETag or a date says that two answers are the same bytes (RFC 9110, 13.1.5)."""
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
                    self.arrived(len(block))
        except PassingError as error:
            raise PassingError(str(error), progressed=done > start) from error
        if done > self.file.size:
            self.forget()
            raise DownloadError(
                f"the server sends more than the {self.file.size:,} bytes of {self.file.path} that its list "
                f"of files says; try again later, or get it from the home page"
            )
        if done < self.file.size:
            raise PassingError("the connection broke", progressed=done > start)
