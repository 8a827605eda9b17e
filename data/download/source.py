"""The interface of a publisher: a list of files, and their addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from data.download.web import Web


@dataclass(frozen=True)
class RemoteFile:
    """A file that a publisher offers.

    ``path`` is relative to the corpus's folder, with forward slashes, checked by
    :func:`data.download.safe_name.safe_path`; a ``.zip`` is unpacked into that folder. ``checksum`` is
    written as ``md5:…`` or ``sha256:…``, as for pooch. ``key`` identifies the file at its publisher.
    """

    path: str
    size: int
    checksum: str
    key: str

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive to unpack."""
        return self.path.lower().endswith(".zip")


@dataclass(frozen=True)
class Listing:
    """Files of a publisher: those to fetch, and small ones whose bytes came with the list."""

    files: tuple[RemoteFile, ...]
    inline: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes by path."""


@dataclass(frozen=True)
class Address:
    """Temporary address of a file, and the headers to send."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Publisher(Protocol):
    """Lists the files of a corpus and gives their addresses."""

    @property
    def at_once(self) -> int:
        """Number of files to fetch at a time without straining the publisher."""

    def listing(self, web: Web, scratch: Path) -> Listing:
        """List all files of the corpus; ``scratch`` is a folder for files to keep until the next call.

        Raises :class:`~data.download.errors.DownloadError` if the list cannot be fetched or is invalid.
        """

    def addresses(self, files: Sequence[RemoteFile], web: Web) -> tuple[Address, ...]:
        """Addresses of up to :data:`~data.download.fetch.FILES_PER_REQUEST` files, good for the next
        minutes.
        """
