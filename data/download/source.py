"""What a publisher of a corpus is to the downloader: a list of files, and addresses to get them from."""

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
    written as ``md5:…`` or ``sha256:…``, as pooch has it. ``key`` is what the source finds it by.
    """

    path: str
    size: int
    checksum: str
    key: str

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked rather than kept."""
        return self.path.lower().endswith(".zip")


@dataclass(frozen=True)
class Listing:
    """What a publisher offers: files to fetch, and small ones whose bytes came with the list."""

    files: tuple[RemoteFile, ...]
    inline: Mapping[str, bytes] = field(default_factory=dict)
    """Path → bytes."""


@dataclass(frozen=True)
class Address:
    """Where a file is to be had for a while, and the headers that the server wants to see."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A publisher's way to list files and give them out."""

    @property
    def at_once(self) -> int:
        """Files fetched at the same time: as many as the publisher will not mind."""

    def listing(self, web: Web, scratch: Path) -> Listing:
        """Everything that the corpus consists of; ``scratch`` is a folder for what is worth keeping of it.

        Raises :class:`~data.download.errors.DownloadError` where the list cannot be had or makes no sense.
        """

    def addresses(self, files: Sequence[RemoteFile], web: Web) -> tuple[Address, ...]:
        """Addresses of up to :data:`~data.download.fetch.GROUP` files, good for the next minutes."""
