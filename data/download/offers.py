"""Which corpora may be downloaded by a program, from where, and under which conditions."""

from __future__ import annotations

import os
from dataclasses import dataclass

from data.corpus import Corpus
from data.download.dataverse import Dataverse
from data.download.git_lfs import GitLfs
from data.download.source import Source
from data.download.zenodo import Zenodo
from data.registry import corpus
from schemas.errors import UsageError

MIRROR = "SER_DOWNLOAD_BASE"
"""Environment variable: address of a server that answers in place of all publishers, as a mirror does."""


@dataclass(frozen=True)
class Offer:
    """A corpus that its publisher gives to anybody who accepts the conditions.

    ``conditions`` : what the licence asks, in one sentence.
    ``about_bytes``: of the download, ``about_unpacked_bytes`` of the corpus's folder; the publisher's own
    list says it exactly.
    """

    corpus: Corpus
    source: Source
    conditions: str
    about_bytes: int
    about_unpacked_bytes: int


def offer(name: str) -> Offer:
    """The offer of a corpus by name.

    Raises :class:`UsageError` for a corpus that a program may not or cannot fetch, with where to get it, and
    :class:`UnknownNameError` for none.
    """
    wanted = corpus(name)
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
    raise UsageError(f"{name} is not to be had by download: {wanted.how_to_get}")
