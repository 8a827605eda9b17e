"""Corpora that a program may download, with their sources and conditions."""

from __future__ import annotations

import os
from dataclasses import dataclass

from data.corpus import Corpus
from data.download.dataverse import Dataverse
from data.download.git_lfs import GitLfs
from data.download.source import Publisher
from data.download.zenodo import Zenodo
from data.registry import require_corpus
from schemas.errors import UsageError

MIRROR = "SER_DOWNLOAD_BASE"
"""Environment variable: address of a mirror that is used instead of all publishers."""


@dataclass(frozen=True)
class Offer:
    """A corpus that anyone who accepts the conditions may download.

    ``publisher``  : the publisher it is downloaded from.
    ``conditions`` : terms of the licence, in one sentence.
    ``about_bytes``: approximate size of the download, ``about_unpacked_bytes`` of the corpus's folder; the
    publisher's list of files has the exact sizes.
    """

    corpus: Corpus
    publisher: Publisher
    conditions: str
    about_bytes: int
    about_unpacked_bytes: int


def offer(name: str) -> Offer:
    """Offer of a corpus by name.

    Raises :class:`UsageError`, with instructions, for a corpus that a program may not or cannot download, and
    :class:`UnknownNameError` for an unknown corpus.
    """
    wanted = require_corpus(name)
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    match name:
        case "ravdess":
            return Offer(
                wanted,
                Zenodo(1188976, "Audio_Speech_Actors_01-24.zip", mirror or "https://zenodo.org"),
                "name the authors, no commercial use, share what you make of it under the same licence",
                about_bytes=208_468_073,
                about_unpacked_bytes=515_000_000,
            )
        case "tess":
            return Offer(
                wanted,
                Dataverse("doi:10.5683/SP2/E8H2MF", mirror or "https://borealisdata.ca"),
                "name the authors, no commercial use, share no altered recordings",
                about_bytes=285_000_000,
                about_unpacked_bytes=285_000_000,
            )
        case "cremad":
            return Offer(
                wanted,
                GitLfs(
                    "CheyneyComputerScience/CREMA-D",
                    "master",
                    "AudioWAV",
                    ("VideoDemographics.csv",),
                    mirror or "https://github.com",
                    mirror or "https://codeload.github.com",
                ),
                "name the authors, share databases that you derive from it under the same licence; the "
                "recordings are under the Database Contents License 1.0",
                about_bytes=606_000_000,
                about_unpacked_bytes=606_000_000,
            )
    raise UsageError(f"{name} cannot be downloaded by this command; {wanted.how_to_get}")
