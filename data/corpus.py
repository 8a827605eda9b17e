"""What a corpus is to this project: where it comes from, how to recognise it, what clips it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from schemas.clip import Scan


@runtime_checkable
class Corpus(Protocol):
    """A collection of labelled recordings.

    A scan reads names and, where the corpus has them, small tables; it never decodes audio.
    """

    @property
    def name(self) -> str:
        """Short name: the prefix of clip ids and speakers, the group in a store (``cremad``)."""

    @property
    def title(self) -> str:
        """Name as its authors write it."""

    @property
    def licence(self) -> str:
        """Licence or terms of use, in a few words."""

    @property
    def home_page(self) -> str:
        """Address of the corpus's own page; empty where there is none."""

    @property
    def how_to_get(self) -> str:
        """One sentence: where to download it and what folder to put it in."""

    @property
    def expected_clips(self) -> int | None:
        """Clips in the complete corpus; None where that is not known."""

    @property
    def folder_names(self) -> tuple[str, ...]:
        """Names under the corpora root by which it is found, best first; see :func:`folded`."""

    def scan(self, root: Path) -> Scan:
        """Clips of the tree under ``root``, sorted by speaker, then clip id.

        Raises :class:`~schemas.errors.CorpusNotFoundError` where ``root`` is no folder,
        :class:`~schemas.errors.CorpusError` for an unusable description or speaker table.
        """


def folded(name: str) -> str:
    """Name as folder names are compared: lower case, without spaces, ``-`` and ``_``."""
    return name.casefold().translate({ord(mark): None for mark in " -_"})
